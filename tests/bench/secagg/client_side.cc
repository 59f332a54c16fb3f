#include "tests/bench/secagg/client_side.h"

#include <cmath>

#include "common/secagg/encoding.h"
#include "tests/bench/secagg/cpu_time.h"
#include "tests/bench/secagg/packing.h"
#include "tests/bench/secagg/server_side.h"
#include "tests/ring_lanes.h"

namespace tutti::bench {
namespace {

// Spread evenly: of every 1 / dropout clients the last one drops.
bool Drops(std::uint32_t index, double dropout) {
  return std::floor((index + 1) * dropout + 1e-9) > std::floor(index * dropout + 1e-9);
}

}  // namespace

Cohort::Cohort(Line& line, const SecaggSettings& settings, const secagg::RoundConfig& config,
               const CertificateAuthority& authority, const Clock& clock)
    : line_(line),
      settings_(settings),
      config_(config),
      authority_(authority),
      clock_(clock),
      shared_verifier_(authority.pem, clock, settings.clients),
      clients_(settings.clients),
      update_(config.values),
      plain_sum_(config.layout()) {
  for (std::uint32_t index = 0; index < settings.clients; ++index) {
    clients_[index].drops = Drops(index, settings.dropout);
    survivors_ += clients_[index].drops ? 0U : 1U;
  }
}

Status Cohort::ForEach(bool survivors_only, Status (Cohort::*step)(std::uint32_t)) {
  for (std::uint32_t index = 0; index < clients_.size(); ++index) {
    if (!survivors_only || !clients_[index].drops) {
      TUTTI_TRY((this->*step)(index));
    }
  }
  return OkStatus();
}

StatusOr<std::string> Cohort::Ask(Call call, std::uint32_t index, const std::string& body) {
  TUTTI_ASSIGN(std::string answer, line_.Ask(call, index, body));
  totals_.upload_bytes += static_cast<double>(body.size());
  totals_.download_bytes += static_cast<double>(answer.size());
  return answer;
}

StatusOr<secagg::ClientIdentity> Cohort::Enrol(std::uint32_t index) {
  secagg::ClientIdentity identity;
  if (config_.level == secagg::ThreatLevel::kMalicious) {
    identity.signing_key = crypto::NewEd25519Key(rng_);
    TUTTI_ASSIGN(const std::string pem,
                 crypto::IssueForKey(authority_.key.key, authority_.pem,
                                     crypto::Ed25519PublicOf(identity.signing_key),
                                     {.name = NameOf(index),
                                      .role = "trainer",
                                      .server_names = {},
                                      .now = clock_.Wall(),
                                      .days = 1}));
    TUTTI_ASSIGN(identity.certificate, crypto::CertificateDer(pem));
    TUTTI_TRY(shared_verifier_.Verify(identity.certificate).status());
  }
  return identity;
}

Status Cohort::Join() {
  TUTTI_TRY(ForEach(false, &Cohort::JoinOne));
  return line_.Ask(Call::kCloseJoins).status();
}

Status Cohort::JoinOne(std::uint32_t index) {
  Client& client = clients_[index];
  TUTTI_ASSIGN(const secagg::ClientIdentity identity, Enrol(index));
  if (settings_.new_certificates) {
    client.own_verifier = std::make_unique<crypto::CachingVerifier>(authority_.pem, clock_);
  }
  crypto::PeerVerifier* const verifier =
      settings_.new_certificates ? client.own_verifier.get() : &shared_verifier_;
  TUTTI_ASSIGN(secagg::ClientSession session, Timed(totals_.keys, [&] {
                 return secagg::ClientSession::Start(config_, identity, verifier, rng_);
               }));
  client.session = std::make_unique<secagg::ClientSession>(std::move(session));
  return Ask(Call::kJoin, index, Pack<v1::JoinMessage>(client.session->JoinMessage())).status();
}

Status Cohort::Share() {
  TUTTI_TRY(ForEach(false, &Cohort::ShareOne));
  return line_.Ask(Call::kCloseShares).status();
}

Status Cohort::ShareOne(std::uint32_t index) {
  Client& client = clients_[index];
  TUTTI_ASSIGN(const std::string body, Ask(Call::kRoster, index));
  TUTTI_ASSIGN(const secagg::Roster roster, Unpack<v1::RosterMessage>(body));
  TUTTI_ASSIGN(const secagg::Shares shares,
               Timed(totals_.share, [&] { return client.session->OnRoster(roster, rng_); }));
  TUTTI_TRY(Ask(Call::kShares, index, Pack<v1::ShareMessage>(shares)).status());
  if (client.drops) {
    client = Client{.own_verifier = nullptr, .session = nullptr, .drops = true};
  }
  return OkStatus();
}

Status Cohort::UploadMasked() {
  TUTTI_TRY(ForEach(true, &Cohort::UploadOne));
  TUTTI_ASSIGN(survivor_set_, line_.Ask(Call::kCloseMasked));
  return OkStatus();
}

Status Cohort::UploadOne(std::uint32_t index) {
  TUTTI_ASSIGN(const std::string body, Ask(Call::kBoxes, index));
  TUTTI_ASSIGN(const secagg::Boxes boxes, Unpack<v1::BoxesMessage>(body));
  TUTTI_TRY(Timed(totals_.mask, [&] { return clients_[index].session->OnBoxes(boxes); }));
  secagg::MaskedHeader header;
  TUTTI_ASSIGN(const Bytes vector, MaskedVector(index, header));
  TUTTI_TRY(Ask(Call::kHeader, index, Pack<v1::MaskedHeader>(header)).status());
  totals_.upload_bytes += static_cast<double>(vector.size());
  return line_.Ask(Call::kVector, index, vector.data(), vector.size()).status();
}

StatusOr<Bytes> Cohort::MaskedVector(std::uint32_t index, secagg::MaskedHeader& header) {
  TestRng values(index + 1);  // no client's update is another's
  for (float& value : update_) {
    value = static_cast<float>(2 * values.Unit() - 1);
  }
  TUTTI_ASSIGN(secagg::EncodedUpdate encoded, Timed(totals_.mask, [&] {
                 return secagg::EncodeUpdate(config_, update_, 1, {}, rng_);
               }));
  secagg::AddTo(plain_sum_, encoded.vector);
  secagg::ClientSession& session = *clients_[index].session;
  Bytes wire;
  TUTTI_ASSIGN(header, Timed(totals_.mask, [&]() -> StatusOr<secagg::MaskedHeader> {
                 TUTTI_TRY(session.AddMasks(encoded.vector));
                 wire = secagg::ToWire(encoded.vector);
                 return session.HeaderFor(wire);
               }));
  return wire;
}

Status Cohort::Commit() {
  TUTTI_TRY(ForEach(true, &Cohort::CommitOne));
  return line_.Ask(Call::kCloseCommits).status();
}

Status Cohort::CommitOne(std::uint32_t index) {
  TUTTI_ASSIGN(const secagg::Survivors survivors, Unpack<v1::SurvivorsMessage>(survivor_set_));
  totals_.download_bytes += static_cast<double>(survivor_set_.size());
  TUTTI_ASSIGN(const secagg::Commit commit, Timed(totals_.unmask, [&] {
                 return clients_[index].session->OnSurvivors(survivors);
               }));
  return Ask(Call::kCommit, index, Pack<v1::CommitMessage>(commit)).status();
}

Status Cohort::Unmask() { return ForEach(true, &Cohort::UnmaskOne); }

Status Cohort::UnmaskOne(std::uint32_t index) {
  secagg::ClientSession& session = *clients_[index].session;
  StatusOr<secagg::Unmask> unmask = secagg::Unmask();
  if (config_.level == secagg::ThreatLevel::kMalicious) {
    TUTTI_ASSIGN(const std::string body, Ask(Call::kCertificate, index));
    TUTTI_ASSIGN(const secagg::CommitCertificate certificate, Unpack<v1::CertificateMessage>(body));
    unmask = Timed(totals_.unmask, [&] { return session.OnCertificate(certificate); });
  } else {
    TUTTI_ASSIGN(const secagg::Survivors survivors, Unpack<v1::SurvivorsMessage>(survivor_set_));
    totals_.download_bytes += static_cast<double>(survivor_set_.size());
    unmask = Timed(totals_.unmask, [&] { return session.OnSurvivorsCurious(survivors); });
  }
  TUTTI_TRY(unmask.status());
  clients_[index] = Client();  // its part is over
  return Ask(Call::kUnmask, index, Pack<v1::UnmaskMessage>(*unmask)).status();
}

ClientCosts Cohort::Costs() const {
  ClientCosts mean = totals_;
  const auto all = static_cast<double>(clients_.size());
  mean.keys /= all;
  mean.share /= all;
  mean.mask /= survivors_;
  mean.unmask /= survivors_;
  mean.upload_bytes /= survivors_;
  mean.download_bytes /= survivors_;
  return mean;
}

Digest Cohort::PlainSumSha256() const { return secagg::WireDigest(plain_sum_); }

}  // namespace tutti::bench

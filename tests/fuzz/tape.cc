#include "tests/fuzz/tape.h"

#include "common/base/text.h"
#include "common/secagg/binding.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"
#include "tests/sim/test_identity.h"

namespace tutti::fuzz {
namespace {

using secagg::ThreatLevel;

secagg::RoundConfig ConfigAt(ThreatLevel level) {
  secagg::RoundConfig config;
  config.level = level;
  config.job = "fuzz";
  config.round = 1;
  config.values = 3;
  config.value_bits = 8;
  config.min_cohort = 4;
  config.min_survivors = 4;  // one more than level curious' threshold asks for
  config.max_cohort = kTapeClients;
  return config;
}

void JoinAll(Tape& tape, std::vector<std::unique_ptr<SecureRng>>& rngs,
             std::vector<secagg::ClientSession>& clients, secagg::ServerSession& server) {
  for (std::uint32_t i = 0; i < kTapeClients; ++i) {
    rngs.push_back(TapeRng(i));
    clients.push_back(TapeClient(tape, i, *rngs.back()));
    const std::unique_ptr<SecureRng> again = TapeRng(i);  // box key, mask key and seed
    Secret32 drawn[3];
    for (Secret32& secret : drawn) again->Fill(secret.mutable_view());
    tape.mask_keys.push_back(drawn[1]);
    tape.seeds.push_back(drawn[2]);
    tape.joins.push_back(clients.back().JoinMessage());
    TUTTI_CHECK(server.AddJoin(tape.names[i], tape.joins.back()).ok());
  }
  TUTTI_CHECK(server.CloseJoins().ok());
}

void AddTwins(Tape& tape) {
  const secagg::ClientIdentity& first = tape.identities[0];
  for (std::uint32_t i = 0; i < kTapeClients; ++i) {
    secagg::Join twin = tape.joins[i];
    if (tape.IsMalicious()) {
      ByteWriter certificate;
      certificate.Text(tape.names[i].value());
      certificate.Raw(crypto::Ed25519PublicOf(first.signing_key));
      twin.certificate = certificate.Take();
      twin.signature = crypto::Sign(first.signing_key,
                                    secagg::JoinStatement(secagg::ConfigHash(tape.config), twin));
    }
    tape.twins.push_back(twin);
  }
}

void ShareAndMask(Tape& tape, std::vector<std::unique_ptr<SecureRng>>& rngs,
                  std::vector<secagg::ClientSession>& clients, secagg::ServerSession& server) {
  for (std::uint32_t i = 0; i < kTapeClients; ++i) {
    tape.rosters.push_back(*server.RosterFor(tape.names[i]));
    tape.shares.push_back(*clients[i].OnRoster(tape.rosters[i], *rngs[i]));
    TUTTI_CHECK(server.AddShares(tape.names[i], tape.shares[i]).ok());
  }
  TUTTI_CHECK(server.CloseShares().ok());
  TestRng values(77);
  for (std::uint32_t i = 0; i < kTapeClients; ++i) {
    tape.boxes.push_back(*server.BoxesFor(tape.names[i]));
    TUTTI_CHECK(clients[i].OnBoxes(tape.boxes[i]).ok());
    secagg::FillVector(tape.updates.emplace_back(tape.config.layout()),
                       [&values] { return values.Next(); });
    secagg::RingVector masked = tape.updates[i];
    TUTTI_CHECK(clients[i].AddMasks(masked).ok());
    tape.vectors.push_back(secagg::ToWire(masked));
    tape.headers.push_back(*clients[i].HeaderFor(tape.vectors[i]));
    TUTTI_CHECK(server.AddMasked(tape.names[i], tape.headers[i]).ok());
  }
  TUTTI_CHECK(server.CloseMasked().ok());
}

void CommitAndUnmask(Tape& tape, std::vector<secagg::ClientSession>& clients,
                     secagg::ServerSession& server) {
  tape.survivors = *server.SurvivorsMessage();
  if (tape.IsMalicious()) {
    for (std::uint32_t i = 0; i < kTapeClients; ++i) {
      tape.commits.push_back(*clients[i].OnSurvivors(tape.survivors));
      TUTTI_CHECK(server.AddCommit(tape.names[i], tape.commits[i]).ok());
    }
    TUTTI_CHECK(server.CloseCommits().ok());
  }
  for (std::uint32_t i = 0; i < kTapeClients; ++i) {
    if (tape.IsMalicious()) {
      tape.certificates.push_back(*server.CertificateFor(tape.names[i]));
      tape.unmasks.push_back(*clients[i].OnCertificate(tape.certificates[i]));
    } else {
      tape.unmasks.push_back(*clients[i].OnSurvivorsCurious(tape.survivors));
    }
  }
}

Tape Record(ThreatLevel level) {
  Tape tape;
  tape.config = ConfigAt(level);
  SeededSecureRng identities(5);
  for (std::uint32_t i = 0; i < kTapeClients; ++i) {
    tape.names.emplace_back(tutti::Join("client-", i));
    tape.identities.push_back(testing::NewIdentity(tape.names[i].value(), identities));
  }
  secagg::ServerSession server = *secagg::ServerSession::Open(tape.config, &TapeVerifier());
  std::vector<std::unique_ptr<SecureRng>> rngs;
  std::vector<secagg::ClientSession> clients;
  JoinAll(tape, rngs, clients, server);
  AddTwins(tape);
  ShareAndMask(tape, rngs, clients, server);
  CommitAndUnmask(tape, clients, server);
  return tape;
}

}  // namespace

crypto::PeerVerifier& TapeVerifier() {
  static testing::TestVerifier verifier;
  return verifier;
}

std::unique_ptr<SecureRng> TapeRng(std::uint32_t client) {
  return std::make_unique<SeededSecureRng>(100 + client);
}

secagg::ClientSession TapeClient(const Tape& tape, std::uint32_t client, SecureRng& rng) {
  return *secagg::ClientSession::Start(tape.config, tape.identities[client], &TapeVerifier(), rng);
}

const Tape& TapeOf(ThreatLevel level) {
  static const Tape curious = Record(ThreatLevel::kCurious);
  static const Tape malicious = Record(ThreatLevel::kMalicious);
  return level == ThreatLevel::kMalicious ? malicious : curious;
}

}  // namespace tutti::fuzz

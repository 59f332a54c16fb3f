#include "tests/unit/secagg/world.h"

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "tests/catch.h"
#include "tests/ring_lanes.h"

namespace tutti::secagg {

Bytes ListedVerifier::Enrol(std::string_view name, std::string_view role,
                            const crypto::Ed25519Public& key) {
  const std::string text = tutti::Join(role, " ", name, " ", ToHex(key));
  Bytes der = ToBytes(AsBytes(text));
  crypto::CertificateInfo info;
  info.name = std::string(name);
  info.role = std::string(role);
  info.public_key = key;
  info.spki_sha256 = crypto::Sha256(key);
  listed_[der] = info;
  return der;
}

StatusOr<crypto::CertificateInfo> ListedVerifier::Verify(BytesView der) {
  const auto found = listed_.find(ToBytes(der));
  if (found == listed_.end()) {
    return Unauthenticated("certificate is not of the pinned CA");
  }
  return found->second;
}

RoundConfig SmallConfig(ThreatLevel level, std::uint32_t clients, std::uint64_t values) {
  RoundConfig config;
  config.level = level;
  config.job = "test";
  config.round = 3;
  config.values = values;
  config.min_cohort = 2;
  config.min_survivors = 2;
  config.max_cohort = clients;
  config.value_bits = 16;
  return config;
}

World::World(const RoundConfig& config, std::uint32_t clients, std::uint64_t seed)
    : misses_(clients, Stage::kNever), config_(config), rng_(seed), sum_(config.layout()) {
  TestRng values(seed + 1);
  for (std::uint32_t i = 0; i < clients; ++i) {
    ClientIdentity identity;
    if (config.level == ThreatLevel::kMalicious) {
      identity.signing_key = crypto::NewEd25519Key(rng_);
      identity.certificate = verifier_.Enrol(Name(i).value(), "trainer",
                                             crypto::Ed25519PublicOf(identity.signing_key));
    }
    StatusOr<ClientSession> session = ClientSession::Start(config, identity, &verifier_, rng_);
    REQUIRE(TextOf(session.status()) == "");
    clients_.push_back(*std::move(session));
    identities_.push_back(identity);
    FillVector(vectors_.emplace_back(config.layout()), [&values] { return values.Next(); });
  }
  StatusOr<ServerSession> server = ServerSession::Open(config, &verifier_);
  REQUIRE(TextOf(server.status()) == "");
  server_ = std::make_unique<ServerSession>(*std::move(server));
}

ClientId World::Name(std::uint32_t client) const {
  const std::string digits = std::to_string(client);
  return ClientId("c" + std::string(3 - std::min<std::size_t>(3, digits.size()), '0') + digits);
}

void World::JoinAll() {
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    if (Reaches(i, Stage::kJoin)) {
      REQUIRE(TextOf(server_->AddJoin(Name(i), clients_[i].JoinMessage())) == "");
    }
  }
}

Status World::Share(std::uint32_t client) {
  TUTTI_ASSIGN(const Roster roster, server_->RosterFor(Name(client)));
  TUTTI_ASSIGN(const Shares shares, clients_[client].OnRoster(roster, rng_));
  return server_->AddShares(Name(client), shares);
}

void World::ShareAll() {
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    if (Reaches(i, Stage::kShare)) {
      REQUIRE(TextOf(Share(i)) == "");
    }
  }
}

Bytes World::Masked(std::uint32_t client) {
  RingVector vector = vectors_[client];
  REQUIRE(TextOf(clients_[client].AddMasks(vector)) == "");
  return ToWire(vector);
}

MaskedHeader World::Header(std::uint32_t client) {
  StatusOr<MaskedHeader> header = clients_[client].HeaderFor(Masked(client));
  REQUIRE(TextOf(header.status()) == "");
  return *header;
}

void World::MaskAll() {
  const std::set<ClientId> sharers = server_->Sharers();
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    if (!Reaches(i, Stage::kMask) || !sharers.contains(Name(i))) {
      continue;
    }
    StatusOr<Boxes> boxes = server_->BoxesFor(Name(i));
    REQUIRE(TextOf(boxes.status()) == "");
    REQUIRE(TextOf(clients_[i].OnBoxes(*boxes)) == "");
    const MaskedHeader header = Header(i);
    REQUIRE(TextOf(server_->CheckHeader(Name(i), header)) == "");
    REQUIRE(sum_.Add(Masked(i), 0).ok());
    REQUIRE(TextOf(server_->AddMasked(Name(i), header)) == "");
  }
}

void World::CommitAll() {
  const std::set<ClientId> survivors = server_->SurvivorSet();
  const Survivors message = *server_->SurvivorsMessage();
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    if (Reaches(i, Stage::kCommit) && survivors.contains(Name(i))) {
      StatusOr<Commit> commit = clients_[i].OnSurvivors(message);
      REQUIRE(TextOf(commit.status()) == "");
      REQUIRE(TextOf(server_->AddCommit(Name(i), *commit)) == "");
    }
  }
}

void World::UnmaskAll() {
  const std::set<ClientId> survivors = server_->SurvivorSet();
  const Survivors message = *server_->SurvivorsMessage();
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    if (!Reaches(i, Stage::kUnmask) || !survivors.contains(Name(i))) {
      continue;
    }
    StatusOr<Unmask> unmask = config_.level == ThreatLevel::kMalicious
                                  ? clients_[i].OnCertificate(*server_->CertificateFor(Name(i)))
                                  : clients_[i].OnSurvivorsCurious(message);
    REQUIRE(TextOf(unmask.status()) == "");
    REQUIRE(TextOf(server_->AddUnmask(Name(i), *unmask)) == "");
  }
}

StatusOr<Bytes> World::Run() {
  JoinAll();
  TUTTI_TRY(server_->CloseJoins());
  ShareAll();
  TUTTI_TRY(server_->CloseShares());
  MaskAll();
  TUTTI_TRY(server_->CloseMasked());
  if (config_.level == ThreatLevel::kMalicious) {
    CommitAll();
    TUTTI_TRY(server_->CloseCommits());
  }
  UnmaskAll();
  const bool can_rebuild = server_->CanRebuild();
  StatusOr<std::vector<LeftoverMask>> masks = server_->Rebuild();
  REQUIRE(masks.ok() == can_rebuild);
  TUTTI_TRY(masks.status());
  REQUIRE(server_->step() == ServerStep::kRebuilt);
  const std::uint64_t half = sum_.sum().count() / 2;
  REQUIRE(sum_.RemoveMasks(*masks, 0, half).ok());
  REQUIRE(sum_.RemoveMasks(*masks, half, sum_.sum().count() - half).ok());
  return ToWire(sum_.sum());
}

Bytes World::PlainSum() const {
  RingVector sum(config_.layout());
  const std::set<ClientId> survivors = server_->SurvivorSet();
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    if (survivors.contains(Name(i))) {
      REQUIRE(sum.AddWire(ToWire(vectors_[i]), 0).ok());
    }
  }
  return ToWire(sum);
}

std::string CodeOf(const Status& status) {
  const std::string text = TextOf(status);
  return text.substr(0, text.find(':'));
}

}  // namespace tutti::secagg

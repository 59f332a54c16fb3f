#include "tests/vectors/secagg/transcript.h"

#include <map>

#include "common/crypto/hash.h"
#include "common/secagg/accumulator.h"
#include "common/secagg/binding.h"
#include "common/secagg/graph.h"
#include "common/secagg/merkle.h"
#include "common/secagg/server_session.h"
#include "tests/vectors/secagg/fields.h"
#include "tests/vectors/secagg/player.h"

namespace tutti::vectors {
namespace {

using secagg::Index;

void Require(const Status& status) {
  if (!status.ok()) {
    std::fprintf(stderr, "a vector's round went wrong: %s\n", TextOf(status).c_str());
    std::abort();
  }
}
template <typename T>
T Require(StatusOr<T> result) {
  Require(result.status());
  return *std::move(result);
}

class Round {
 public:
  Round(const Scenario& scenario, const std::vector<Identity>& identities)
      : scenario_(scenario),
        verifier_(identities),
        server_(Require(secagg::ServerSession::Open(scenario.config, &verifier_))),
        sum_(scenario.config.layout()) {
    for (Index index = 0; index < scenario.last.size(); ++index) {
      players_.push_back(StartPlayer(scenario, index, identities, verifier_));
    }
  }

  void Play() {
    JoinAll();
    ShareAll();
    MaskAll();
    if (IsMalicious()) {
      CommitAll();
    }
    UnmaskAll();
    Open();
  }

  Json Described(const std::vector<Identity>& identities) const;

 private:
  bool IsMalicious() const { return scenario_.config.level == secagg::ThreatLevel::kMalicious; }
  static ClientId IdOf(const Player& player) { return ClientId(player.name); }
  const Digest& Hash() const { return server_.config_hash(); }

  void Say(const Player& player, const protocol::Request& request) {
    if (player.recorded) messages_.push_back(MessageOf(player.name, request));
  }
  void Tell(Player& player, const protocol::Notice& notice) {
    if (player.recorded) messages_.push_back(MessageOf(player.name, notice, player.memory));
  }

  void JoinAll();
  void ShareAll();
  void MaskAll();
  void CommitAll();
  void UnmaskAll();
  void Open();
  RosterFacts FactsFor(Index index) const;
  Json RosterJson() const;
  Json SumJson() const;
  Json RevealedSecrets() const;

  const Scenario& scenario_;
  VectorVerifier verifier_;
  secagg::ServerSession server_;
  secagg::Accumulator sum_;
  std::vector<Player> players_;
  std::vector<secagg::LeftoverMask> leftover_;
  Json messages_ = Json::array();
};

void Round::JoinAll() {
  const protocol::Offer offer{.session = Hash(),
                              .config = secagg::Encode(scenario_.config),
                              .task = ToBytes(AsBytes("a task")),
                              .model_bytes = 7,
                              .train_left = Milliseconds(60000)};
  for (Player& player : players_) {
    Tell(player, offer);
    Say(player, protocol::JoinRequest{Hash(), player.session->JoinMessage()});
    Require(server_.AddJoin(IdOf(player), player.session->JoinMessage()));
  }
  Require(server_.CloseJoins());
}

void Round::ShareAll() {
  for (Player& player : players_) {
    const secagg::Roster roster = Require(server_.RosterFor(IdOf(player)));
    Tell(player, protocol::RosterNotice{Hash(), roster});
    if (player.last < LastStep::kShare) {
      continue;
    }
    const secagg::Shares shares = Require(player.session->OnRoster(roster, *player.rng));
    Say(player, protocol::ShareRequest{Hash(), shares});
    Require(server_.AddShares(IdOf(player), shares));
  }
  Require(server_.CloseShares());
}

void Round::MaskAll() {
  for (Player& player : players_) {
    if (!server_.Sharers().contains(IdOf(player))) {
      continue;
    }
    const secagg::Boxes boxes = Require(server_.BoxesFor(IdOf(player)));
    Tell(player, protocol::BoxesNotice{Hash(), boxes});
    if (player.last < LastStep::kMask) {
      continue;
    }
    Require(player.session->OnBoxes(boxes));
    player.masked = *player.encoded;
    Require(player.session->AddMasks(*player.masked));
    const Bytes vector = secagg::ToWire(*player.masked);
    const secagg::MaskedHeader header = Require(player.session->HeaderFor(vector));
    if (player.recorded) {
      messages_.push_back(UploadHeaderMessage(player.name, {Hash(), header}));
      messages_.push_back(UploadDataMessage(player.name, vector));
    }
    Require(server_.CheckHeader(IdOf(player), header));
    Require(sum_.Add(vector, 0));
    Require(server_.AddMasked(IdOf(player), header));
  }
  Require(server_.CloseMasked());
}

void Round::CommitAll() {
  const secagg::Survivors survivors = Require(server_.SurvivorsMessage());
  for (Player& player : players_) {
    if (!server_.SurvivorSet().contains(IdOf(player))) {
      continue;
    }
    Tell(player, protocol::SurvivorsNotice{Hash(), survivors});
    if (player.last < LastStep::kCommit) {
      continue;
    }
    const secagg::Commit commit = Require(player.session->OnSurvivors(survivors));
    Say(player, protocol::CommitRequest{Hash(), commit});
    Require(server_.AddCommit(IdOf(player), commit));
  }
  Require(server_.CloseCommits());
}

void Round::UnmaskAll() {
  const secagg::Survivors survivors = Require(server_.SurvivorsMessage());
  for (Player& player : players_) {
    if (!server_.SurvivorSet().contains(IdOf(player)) ||
        (IsMalicious() && player.last < LastStep::kCommit)) {
      continue;
    }
    std::optional<secagg::CommitCertificate> certificate;
    if (IsMalicious()) {
      certificate = Require(server_.CertificateFor(IdOf(player)));
      Tell(player, protocol::CertificateNotice{Hash(), *certificate});
    } else {
      Tell(player, protocol::SurvivorsNotice{Hash(), survivors});
    }
    if (player.last < LastStep::kUnmask) {
      continue;
    }
    const secagg::Unmask unmask =
        Require(certificate.has_value() ? player.session->OnCertificate(*certificate)
                                        : player.session->OnSurvivorsCurious(survivors));
    Say(player, protocol::UnmaskRequest{Hash(), unmask, {}});
    Require(server_.AddUnmask(IdOf(player), unmask));
  }
}

void Round::Open() {
  leftover_ = Require(server_.Rebuild());
  Require(sum_.RemoveMasks(leftover_, 0, sum_.sum().count()));
  const protocol::Closed closed{
      .session = Hash(),
      .outcome = protocol::Outcome::kPublished,
      .reason = "",
      .survivors = static_cast<std::uint32_t>(server_.SurvivorSet().size()),
      .sum_hash = secagg::WireDigest(sum_.sum())};
  for (Player& player : players_) {
    if (server_.SurvivorSet().contains(IdOf(player))) Tell(player, closed);
  }
}

RosterFacts Round::FactsFor(Index index) const {
  RosterFacts facts;
  std::vector<Digest> leaves;
  for (const Player& player : players_) {
    facts.joins.push_back(player.session->JoinMessage());
    leaves.push_back(secagg::JoinLeaf(player.index, facts.joins.back()));
  }
  facts.session = secagg::SessionId(Hash(), secagg::MerkleTree(leaves).root(), server_.cohort());
  facts.threshold = server_.threshold();
  facts.neighbours =
      secagg::NeighboursInGraph(server_.cohort(), server_.neighbours(), facts.session, index);
  return facts;
}

Json Round::RosterJson() const {
  Json leaves = Json::array();
  Json joins = Json::array();
  Json rows = Json::array();
  std::vector<Digest> hashes;
  for (const Player& player : players_) {
    const secagg::Join& join = player.session->JoinMessage();
    hashes.push_back(secagg::JoinLeaf(player.index, join));
    joins.push_back(Hex(WireJoin(join)));
    leaves.push_back(Hex(hashes.back()));
    rows.push_back(FactsFor(player.index).neighbours);
  }
  return {{"size", server_.cohort()},
          {"neighbours", server_.neighbours()},
          {"threshold", server_.threshold()},
          {"commits_needed",
           secagg::CommitsNeeded(server_.cohort(), scenario_.config.corrupt_fraction)},
          {"joins", joins},
          {"leaves", leaves},
          {"root", Hex(secagg::MerkleTree(hashes).root())},
          {"sid", Hex(FactsFor(0).session)},
          {"graph", rows}};
}

Json Round::RevealedSecrets() const {
  Json secrets = Json::array();
  for (const Player& player : players_) {
    const bool survived = server_.SurvivorSet().contains(IdOf(player));
    if (survived || server_.Sharers().contains(IdOf(player))) {
      secrets.push_back({{"owner", player.index},
                         {"of", survived ? "seed" : "mask_key"},
                         {"secret", Hex(player.rng->drawn().at(survived ? 2 : 1))}});
    }
  }
  return secrets;
}

Json Round::SumJson() const {
  const secagg::RingVector& sum = sum_.sum();
  const auto survivors = static_cast<std::uint32_t>(server_.SurvivorSet().size());
  const secagg::DecodedSum decoded = Require(secagg::DecodeSum(scenario_.config, sum, survivors));
  return {{"survivors", survivors},
          {"payload", SignedLanes(sum)},
          {"extras", sum.extras()},
          {"wire", Hex(secagg::ToWire(sum))},
          {"sha256", Hex(secagg::WireDigest(sum))},
          {"mean", List(decoded.mean, [](float v) { return static_cast<double>(v); })}};
}

Json Round::Described(const std::vector<Identity>& identities) const {
  Json json;
  json["about"] = scenario_.about;
  json["config"] = FieldsOf(scenario_.config);
  json["config_bytes"] = Hex(secagg::Encode(scenario_.config));
  json["config_hash"] = Hex(Hash());
  json["ring"] = {{"bits", scenario_.config.layout().bits},
                  {"lane_bits", scenario_.config.layout().lane_bits()},
                  {"wire_bytes", scenario_.config.layout().wire_bytes()}};
  if (IsMalicious()) {
    json["ca_certificate"] = Hex(identities.at(0).certificate);
  }
  json["roster"] = RosterJson();
  json["clients"] = Json::array();
  Json masked = Json::array();
  for (const Player& player : players_) {
    if (player.recorded) {
      json["clients"].push_back(PrivateFacts(player, FactsFor(player.index)));
    }
    if (player.masked.has_value()) {
      masked.push_back({{"index", player.index}, {"wire", Hex(secagg::ToWire(*player.masked))}});
    }
  }
  const auto indices = [this](const std::set<ClientId>& set) {
    Json list = Json::array();
    for (const Player& player : players_) {
      if (set.contains(IdOf(player))) list.push_back(player.index);
    }
    return list;
  };
  json["sharers"] = indices(server_.Sharers());
  const secagg::Survivors survivors = *server_.SurvivorsMessage();
  json["survivors"] = {{"members", indices(server_.SurvivorSet())},
                       {"bitmap", Hex(survivors.bitmap)},
                       {"hash", Hex(crypto::Sha256(survivors.bitmap))}};
  json["masked_vectors"] = masked;
  json["rebuilt"] = RevealedSecrets();
  json["leftover_masks"] = List(leftover_, [](const secagg::LeftoverMask& mask) {
    return Json{{"seed", Hex(mask.seed.view())}, {"added", mask.in_sum_positive}};
  });
  json["sum"] = SumJson();
  json["messages"] = messages_;
  return json;
}

}  // namespace

Json TranscriptOf(const Scenario& scenario, const std::vector<Identity>& identities) {
  Round round(scenario, identities);
  round.Play();
  return round.Described(identities);
}

}  // namespace tutti::vectors

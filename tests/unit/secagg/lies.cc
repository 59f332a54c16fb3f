#include "tests/unit/secagg/lies.h"

#include <algorithm>

#include "common/secagg/binding.h"
#include "common/secagg/graph.h"
#include "tests/catch.h"

namespace tutti::secagg {

World Joined(ThreatLevel level, std::uint32_t clients) {
  World world(SmallConfig(level, clients, 20), clients, 31);
  world.JoinAll();
  REQUIRE(world.Server().CloseJoins().ok());
  return world;
}

World SharedAll(ThreatLevel level) {
  World world = Joined(level);
  world.ShareAll();
  REQUIRE(world.Server().CloseShares().ok());
  return world;
}

World MaskedAll(ThreatLevel level, std::uint32_t missing) {
  World world = Joined(level);
  if (missing < kClients) {
    world.misses_[missing] = Stage::kMask;
  }
  world.ShareAll();
  REQUIRE(world.Server().CloseShares().ok());
  world.MaskAll();
  REQUIRE(world.Server().CloseMasked().ok());
  return world;
}

World CommittedAll() {
  World world = MaskedAll(kMalicious);
  world.CommitAll();
  REQUIRE(world.Server().CloseCommits().ok());
  return world;
}

void RequireDead(World& world, std::uint32_t client) {
  ClientSession& session = world.Client(client);
  REQUIRE(CodeOf(session.OnRoster(*world.Server().RosterFor(world.Name(client)), world.rng_)) ==
          "SESSION_ENDED");
  REQUIRE(CodeOf(session.OnBoxes({})) == "SESSION_ENDED");
  RingVector vector(world.config_.layout());
  REQUIRE(CodeOf(session.AddMasks(vector)) == "SESSION_ENDED");
  REQUIRE(CodeOf(session.HeaderFor({})) == "SESSION_ENDED");
  REQUIRE(CodeOf(session.OnSurvivors({})) == "SESSION_ENDED");
  REQUIRE(CodeOf(session.OnCertificate({})) == "SESSION_ENDED");
  REQUIRE(CodeOf(session.OnSurvivorsCurious({})) == "SESSION_ENDED");
  REQUIRE(ToWire(vector) == ToWire(RingVector(world.config_.layout())));
}

Forgery::Forgery(World& world, const std::function<void(std::vector<Join>&)>& change) {
  for (std::uint32_t i = 0; i < world.misses_.size(); ++i) {
    joins.push_back(world.Client(i).JoinMessage());
  }
  change(joins);
  std::vector<Digest> leaves;
  for (Index i = 0; i < joins.size(); ++i) {
    leaves.push_back(JoinLeaf(i, joins[i]));
  }
  tree.emplace(std::move(leaves));
}

Digest Forgery::Session(const World& world) const {
  return SessionId(ConfigHash(world.config_), tree->root(), size());
}

std::vector<Index> Forgery::NeighboursOf(const World& world, Index client) const {
  const GraphParameters graph = *ChooseGraph(size(), world.config_.level, 0.1, 0.1, 40, 20);
  return NeighboursInGraph(size(), graph.neighbours, Session(world), client);
}

Roster Forgery::RosterFor(const World& world, Index client) const {
  Roster roster{
      .size = size(), .root = tree->root(), .own_index = client, .entries = {}, .proof = {}};
  std::vector<Index> known{client};
  for (const Index i : NeighboursOf(world, client)) {
    roster.entries.push_back({.index = i, .join = joins[i]});
    known.push_back(i);
  }
  std::sort(known.begin(), known.end());
  roster.proof = tree->ProofOf(std::move(known));
  return roster;
}

Join SignedJoin(World& world, Join join, std::uint32_t signer) {
  join.certificate = world.identities_[signer].certificate;
  join.signature = crypto::Sign(world.identities_[signer].signing_key,
                                JoinStatement(ConfigHash(world.config_), join));
  return join;
}

}  // namespace tutti::secagg

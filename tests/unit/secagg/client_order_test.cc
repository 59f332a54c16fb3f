// Messages out of their order, second ones, and the caller's own mistakes.

#include "common/base/text.h"
#include "tests/catch.h"
#include "tests/unit/secagg/lies.h"

namespace tutti::secagg {

TEST_CASE("messages out of their order end the session", "[secagg]") {
  for (const ThreatLevel level : {kCurious, kMalicious}) {
    const auto fresh = [&] { return MaskedAll(level); };
    {
      World world = Joined(level);
      REQUIRE(CodeOf(world.Client(0).OnBoxes({})) == "OUT_OF_ORDER");
      RequireDead(world, 0);
    }
    {
      World world = SharedAll(level);  // the masked vector was never announced
      const Survivors set{Bytes{0xff}};
      REQUIRE(CodeOf(level == kMalicious
                         ? world.Client(0).OnSurvivors(set).status()
                         : world.Client(0).OnSurvivorsCurious(set).status()) == "OUT_OF_ORDER");
      RequireDead(world, 0);
    }
    {
      World world = fresh();
      const StatusOr<Unmask> answer = world.Client(0).OnCertificate({});
      REQUIRE(CodeOf(answer) == "OUT_OF_ORDER");
      REQUIRE(TextOf(answer.status())
                  .find(level == kMalicious ? "before this client committed"
                                            : "level curious has none") != std::string::npos);
      RequireDead(world, 0);
    }
    {
      World world = fresh();  // the way of the other level
      const Survivors set = *world.Server().SurvivorsMessage();
      REQUIRE(CodeOf(level == kCurious
                         ? world.Client(0).OnSurvivors(set).status()
                         : world.Client(0).OnSurvivorsCurious(set).status()) == "OUT_OF_ORDER");
      RequireDead(world, 0);
    }
  }
}

TEST_CASE("the caller's own mistakes are refused without ending the session", "[secagg]") {
  World world = Joined(kMalicious);
  RingVector vector(world.config_.layout());
  REQUIRE(CodeOf(world.Client(0).AddMasks(vector)) == "OUT_OF_ORDER");
  REQUIRE(CodeOf(world.Client(0).HeaderFor({})) == "OUT_OF_ORDER");
  world.ShareAll();
  REQUIRE(world.Server().CloseShares().ok());
  REQUIRE(world.Client(0).OnBoxes(*world.Server().BoxesFor(world.Name(0))).ok());
  RingLayout longer = world.config_.layout();
  ++longer.values;
  RingVector other_round(longer);
  REQUIRE(world.Client(0).AddMasks(other_round).code() == StatusCode::kInvalidArgument);
  REQUIRE(world.Client(0).HeaderFor(ToWire(other_round)).status().code() ==
          StatusCode::kInvalidArgument);
  const Bytes wire = ToWire(vector);
  const MaskedHeader header = *world.Client(0).HeaderFor(wire);
  REQUIRE(*world.Client(0).HeaderFor(wire) == header);
  Bytes other = wire;
  other[0] ^= 1;
  REQUIRE(CodeOf(world.Client(0).HeaderFor(other)) == "CONFLICT");
  REQUIRE(world.Client(0).AddMasks(vector).ok());
}

TEST_CASE("after the answer the masks are gone and the answer stays the same", "[secagg]") {
  World world = CommittedAll();
  const CommitCertificate certificate = *world.Server().CertificateFor(world.Name(0));
  const Unmask answer = *world.Client(0).OnCertificate(certificate);
  REQUIRE(*world.Client(0).OnCertificate(certificate) == answer);
  RingVector vector(world.config_.layout());
  REQUIRE(CodeOf(world.Client(0).AddMasks(vector)) == "OUT_OF_ORDER");
  REQUIRE(answer.shares.size() == kClients - 1);
  for (const RevealedShare& share : answer.shares) {
    REQUIRE(share.owner != 0);
    REQUIRE_FALSE(share.is_mask_key);
  }
}

TEST_CASE("a dropped neighbour's mask key is revealed and never its seed", "[secagg]") {
  World world = MaskedAll(kMalicious, 5);
  world.CommitAll();
  REQUIRE(world.Server().CloseCommits().ok());
  const Unmask answer =
      *world.Client(0).OnCertificate(*world.Server().CertificateFor(world.Name(0)));
  REQUIRE(answer.shares.size() == kClients - 1);
  for (const RevealedShare& share : answer.shares) {
    REQUIRE(share.is_mask_key == (share.owner == 5));
  }
}

TEST_CASE("a session does not start without what its level needs", "[secagg]") {
  SeededSecureRng rng(1);
  ListedVerifier verifier;
  RoundConfig config = SmallConfig(kMalicious, 8, 4);
  ClientIdentity identity{.signing_key = crypto::NewEd25519Key(rng), .certificate = {}};
  identity.certificate =
      verifier.Enrol("c000", "trainer", crypto::Ed25519PublicOf(identity.signing_key));
  REQUIRE(ClientSession::Start(config, identity, &verifier, rng).ok());
  REQUIRE_FALSE(ClientSession::Start(config, identity, nullptr, rng).ok());
  ClientIdentity stranger = identity;
  stranger.signing_key = crypto::NewEd25519Key(rng);
  REQUIRE_FALSE(ClientSession::Start(config, stranger, &verifier, rng).ok());
  stranger.certificate = {1};
  REQUIRE_FALSE(ClientSession::Start(config, stranger, &verifier, rng).ok());
  config.value_bits = 31;
  REQUIRE_FALSE(ClientSession::Start(config, identity, &verifier, rng).ok());
  config = SmallConfig(kCurious, 8, 4);
  REQUIRE(ClientSession::Start(config, {}, nullptr, rng).ok());
}

}  // namespace tutti::secagg

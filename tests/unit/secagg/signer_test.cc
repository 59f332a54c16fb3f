// Enrolled clients are counted once, by name and by key.
#include "common/secagg/signer.h"
#include "common/secagg/binding.h"
#include "tests/catch.h"
#include "tests/unit/secagg/world.h"

namespace tutti::secagg {

TEST_CASE("a signer that is refused is not remembered", "[secagg]") {
  const auto signer = [](std::string_view name, std::uint8_t key) {
    Signer made;
    made.name = name;
    made.identity.fill(key);
    return made;
  };
  DistinctSigners distinct;
  REQUIRE(distinct.Add(signer("a", 1)));
  REQUIRE_FALSE(distinct.Add(signer("a", 2)));
  REQUIRE_FALSE(distinct.Add(signer("b", 1)));
  REQUIRE(distinct.Add(signer("b", 2)));
}

TEST_CASE("a join with another client's key is refused and leaves no trace", "[secagg]") {
  World world(SmallConfig(ThreatLevel::kMalicious, 4, 10), 4, 55);
  ServerSession& server = world.Server();
  REQUIRE(server.AddJoin(world.Name(0), world.Client(0).JoinMessage()).ok());
  const crypto::Ed25519Private& key = world.identities_[0].signing_key;
  Join twin = world.Client(1).JoinMessage();
  twin.certificate =
      world.verifier_.Enrol(world.Name(1).value(), "trainer", crypto::Ed25519PublicOf(key));
  twin.signature = crypto::Sign(key, JoinStatement(server.config_hash(), twin));
  const Status refused = server.AddJoin(world.Name(1), twin);
  REQUIRE(TextOf(refused).find("key of another client's certificate") != std::string::npos);
  REQUIRE(refused.code() == StatusCode::kInvalidArgument);
  REQUIRE(TextOf(server.AddJoin(world.Name(1), world.Client(1).JoinMessage())) == "");
}

}  // namespace tutti::secagg

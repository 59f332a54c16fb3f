// A coordinator that lies about the roster or the share boxes: every changed message is refused
// with its code word and nothing leaves afterwards.
#include <algorithm>
#include <functional>

#include "common/base/text.h"
#include "common/secagg/binding.h"
#include "tests/catch.h"
#include "tests/unit/secagg/lies.h"

namespace tutti::secagg {

TEST_CASE("a roster changed in any place is refused", "[secagg]") {
  using Change = std::function<void(Roster&)>;
  // What would make a client of either level work on another roster or with other neighbours.
  const std::vector<Change> places = {
      [](Roster& r) { r.size = 1; },
      [](Roster& r) { ++r.size; },
      [](Roster& r) { --r.size; },
      [](Roster& r) { r.size = 0xffffffff; },
      [](Roster& r) { r.own_index = 3; },
      [](Roster& r) { r.own_index = kClients; },
      [](Roster& r) { r.entries.clear(); },
      [](Roster& r) { r.entries.pop_back(); },
      [](Roster& r) { r.entries.push_back(r.entries.back()); },
      [](Roster& r) { r.entries[2] = r.entries[3]; },
      [](Roster& r) { std::swap(r.entries[2], r.entries[3]); },
      [](Roster& r) { r.entries[2].index = 77; },
      [](Roster& r) { r.entries[2].join = r.entries[3].join; },
  };
  // What only a coordinator that lies would change.
  const std::vector<Change> contents = {
      [](Roster& r) { r.root[0] ^= 1; },
      [](Roster& r) { r.entries[4].join.nonce[3] ^= 1; },
      [](Roster& r) { r.entries[4].join.box_key[3] ^= 1; },
      [](Roster& r) { r.entries[4].join.mask_key[3] ^= 1; },
      [](Roster& r) { r.entries[4].join.seed_commitment[3] ^= 1; },
      [](Roster& r) { r.entries[4].join.signature[3] ^= 1; },
      [](Roster& r) { r.entries[4].join.certificate.push_back(0); },
      [](Roster& r) { r.proof.push_back(Digest{}); },
  };
  const auto try_all = [](ThreatLevel level, const std::vector<Change>& changes) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      World world = Joined(level);
      Roster roster = *world.Server().RosterFor(world.Name(0));
      changes[i](roster);
      INFO("change " << i);
      REQUIRE(CodeOf(world.Client(0).OnRoster(roster, world.rng_)) == "ROSTER_REJECTED");
      RequireDead(world, 0);
    }
  };
  try_all(kCurious, places);
  try_all(kMalicious, places);
  try_all(kMalicious, contents);
}

TEST_CASE("at level curious a roster holds the neighbours' keys and nothing else", "[secagg]") {
  World world = Joined(kCurious);
  const Roster roster = *world.Server().RosterFor(world.Name(0));
  REQUIRE(roster.entries.size() == kClients - 1);
  REQUIRE(roster.proof.empty());
  for (const RosterEntry& entry : roster.entries) {
    Join keys;
    keys.box_key = world.Client(entry.index).JoinMessage().box_key;
    keys.mask_key = world.Client(entry.index).JoinMessage().mask_key;
    REQUIRE(entry.join == keys);
  }
}

TEST_CASE("in a sparse cohort one proof shows that this client and its neighbours are in the tree",
          "[secagg]") {
  World world = Joined(kMalicious, 70);
  Roster roster = *world.Server().RosterFor(world.Name(0));
  REQUIRE_FALSE(roster.proof.empty());
  REQUIRE(roster.proof.size() < 70 - roster.entries.size());
  SECTION("as sent it is accepted") {
    REQUIRE(world.Client(0).OnRoster(roster, world.rng_).ok());
    return;
  }
  SECTION("a node is missing") { roster.proof.pop_back(); }
  SECTION("a node is changed") { roster.proof.front()[0] ^= 1; }
  SECTION("two nodes are swapped") { std::swap(roster.proof[0], roster.proof[1]); }
  REQUIRE(CodeOf(world.Client(0).OnRoster(roster, world.rng_)) == "ROSTER_REJECTED");
}

TEST_CASE("a consistent roster of forged joins is refused", "[secagg]") {
  World world = Joined(kMalicious);
  SeededSecureRng rng(99);
  ClientIdentity outsider{.signing_key = crypto::NewEd25519Key(rng), .certificate = Bytes{1, 2, 3}};
  const Join other = world.Client(1).JoinMessage();
  std::string expected;
  std::function<void(std::vector<Join>&)> change;
  SECTION("the honest roster is accepted") {
    change = [](std::vector<Join>&) {};
  }
  SECTION("own join altered") {
    change = [](std::vector<Join>& joins) { joins[0].nonce[0] ^= 1; };
    expected = "not in the roster's tree";
  }
  SECTION("a certificate of another CA") {
    change = [&](std::vector<Join>& joins) {
      joins[3].certificate = outsider.certificate;
      joins[3].signature =
          crypto::Sign(outsider.signing_key, JoinStatement(ConfigHash(world.config_), joins[3]));
    };
    expected = "pinned CA";
  }
  SECTION("a certificate of the coordinator itself") {
    change = [&](std::vector<Join>& joins) {
      joins[3].certificate = world.verifier_.Enrol("coordinator", "server",
                                                   crypto::Ed25519PublicOf(outsider.signing_key));
      joins[3].signature =
          crypto::Sign(outsider.signing_key, JoinStatement(ConfigHash(world.config_), joins[3]));
    };
    expected = "expected 'trainer'";
  }
  SECTION("a key put in without its owner's signature") {
    change = [](std::vector<Join>& joins) { joins[3].mask_key[0] ^= 4; };
    expected = "not signed";
  }
  SECTION("a signature for another round") {
    change = [&](std::vector<Join>& joins) {
      RoundConfig earlier = world.config_;
      --earlier.round;
      joins[3].signature = crypto::Sign(world.identities_[3].signing_key,
                                        JoinStatement(ConfigHash(earlier), joins[3]));
    };
    expected = "not signed";
  }
  SECTION("one client twice") {
    change = [&](std::vector<Join>& joins) {
      Join second = joins[3];
      second.box_key = crypto::PublicOf(crypto::NewX25519Key(rng));
      second.mask_key = crypto::PublicOf(crypto::NewX25519Key(rng));
      joins[4] = SignedJoin(world, second, 3);
    };
    expected = "in the roster already";
  }
  SECTION("one key under two names") {
    change = [&](std::vector<Join>& joins) {
      world.identities_[4].signing_key = world.identities_[3].signing_key;
      world.identities_[4].certificate = world.verifier_.Enrol(
          "another", "trainer", crypto::Ed25519PublicOf(world.identities_[3].signing_key));
      joins[4] = SignedJoin(world, joins[4], 4);
    };
    expected = "in the roster already";
  }
  SECTION("one name with two keys") {
    change = [&](std::vector<Join>& joins) {
      world.identities_[4].certificate = world.verifier_.Enrol(
          "c003", "trainer", crypto::Ed25519PublicOf(world.identities_[4].signing_key));
      joins[4] = SignedJoin(world, joins[4], 4);
    };
    expected = "in the roster already";
  }
  SECTION("this client's own certificate at another place") {
    change = [&](std::vector<Join>& joins) {
      Join second = joins[3];
      second.box_key = crypto::PublicOf(crypto::NewX25519Key(rng));
      second.mask_key = crypto::PublicOf(crypto::NewX25519Key(rng));
      joins[4] = SignedJoin(world, second, 0);
    };
    expected = "in the roster already";
  }
  SECTION("one key twice") {
    change = [&](std::vector<Join>& joins) {
      joins[4].mask_key = joins[3].mask_key;
      joins[4] = SignedJoin(world, joins[4], 4);
    };
    expected = "repeats a key";
  }
  SECTION("the box key of one as the mask key of another") {
    change = [&](std::vector<Join>& joins) {
      joins[4].mask_key = joins[3].box_key;
      joins[4] = SignedJoin(world, joins[4], 4);
    };
    expected = "repeats a key";
  }
  SECTION("a key of low order") {
    change = [&](std::vector<Join>& joins) {
      joins[4].mask_key = {};  // the point 0: every agreement with it is zero
      joins[4] = SignedJoin(world, joins[4], 4);
    };
    expected = "low order";
  }
  const StatusOr<Shares> answer =
      world.Client(0).OnRoster(Forgery(world, change).RosterFor(world, 0), world.rng_);
  if (expected.empty()) {
    REQUIRE(TextOf(answer.status()) == "");
  } else {
    REQUIRE(CodeOf(answer) == "ROSTER_REJECTED");
    REQUIRE(TextOf(answer.status()).find(expected) != std::string::npos);
    RequireDead(world, 0);
  }
}

TEST_CASE("a cohort below the floor is refused however consistent", "[secagg]") {
  RoundConfig config = SmallConfig(kCurious, 8, 4);
  config.min_cohort = 5;
  World world(config, 4, 3);
  const Roster roster = Forgery(world, [](std::vector<Join>&) {}).RosterFor(world, 0);
  REQUIRE(CodeOf(world.Client(0).OnRoster(roster, world.rng_)) == "ROSTER_REJECTED");
}

TEST_CASE("the same roster again gets the same shares, a different one ends the session",
          "[secagg]") {
  for (const ThreatLevel level : {kCurious, kMalicious}) {
    World world = Joined(level);
    const Roster roster = *world.Server().RosterFor(world.Name(0));
    const Shares first = *world.Client(0).OnRoster(roster, world.rng_);
    REQUIRE(*world.Client(0).OnRoster(roster, world.rng_) == first);
    Roster second = roster;
    second.root[1] ^= 1;
    const StatusOr<Shares> answer = world.Client(0).OnRoster(second, world.rng_);
    REQUIRE(CodeOf(answer) == "CONFLICT");
    REQUIRE(answer.status().code() == StatusCode::kFailedPrecondition);
    RequireDead(world, 0);
  }
}

TEST_CASE("boxes changed in any place are refused or cost one share only", "[secagg]") {
  using Change = std::function<void(Boxes&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"BOXES_REJECTED", [](Boxes& b) { b.boxes.clear(); }},
      {"BOXES_REJECTED", [](Boxes& b) { b.boxes.resize(3); }},  // t = 4
      {"", [](Boxes& b) { b.boxes.resize(4); }},
      {"BOXES_REJECTED", [](Boxes& b) { b.boxes[2].peer = 0; }},
      {"BOXES_REJECTED", [](Boxes& b) { b.boxes[2].peer = 1000; }},
      {"BOXES_REJECTED", [](Boxes& b) { b.boxes.push_back(b.boxes.back()); }},
      {"BOXES_REJECTED", [](Boxes& b) { std::swap(b.boxes[2], b.boxes[3]); }},
      {"", [](Boxes& b) { b.boxes[2].ciphertext[5] ^= 1; }},
      {"", [](Boxes& b) { b.boxes[2].share_hash[5] ^= 1; }},
      {"", [](Boxes& b) { std::swap(b.boxes[2].ciphertext, b.boxes[3].ciphertext); }},
      {"BOXES_REJECTED",
       [](Boxes& b) {
         for (std::size_t i = 0; i < 4; ++i) {
           b.boxes[i].ciphertext[79] ^= 1;
         }
       }},
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    World world = SharedAll(kMalicious);
    REQUIRE(world.Server().threshold() == 4);
    Boxes boxes = *world.Server().BoxesFor(world.Name(0));
    changes[i].second(boxes);
    INFO("change " << i);
    REQUIRE(CodeOf(world.Client(0).OnBoxes(boxes)) == changes[i].first);
    if (changes[i].first.empty()) {
      REQUIRE(world.Client(0).MaskingPeers() == boxes.boxes.size());
      REQUIRE(CodeOf(world.Client(0).OnBoxes(boxes)).empty());
      REQUIRE(CodeOf(world.Client(0).OnBoxes({})) == "CONFLICT");
    }
    RequireDead(world, 0);
  }
}

TEST_CASE("a box of another round, direction or recipient does not open", "[secagg]") {
  World world = SharedAll(kCurious);
  RoundConfig config = world.config_;
  ++config.attempt;
  World other(config, kClients, 31);
  other.JoinAll();
  REQUIRE(other.Server().CloseJoins().ok());
  other.ShareAll();
  REQUIRE(other.Server().CloseShares().ok());
  const Boxes own = *world.Server().BoxesFor(world.Name(0));
  const Boxes replayed = *other.Server().BoxesFor(other.Name(0));
  const Boxes reflected = *world.Server().BoxesFor(world.Name(1));
  Boxes boxes = own;
  boxes.boxes[3] = replayed.boxes[3];
  boxes.boxes[4].ciphertext = reflected.boxes[4].ciphertext;  // of owner 5, meant for client 1
  REQUIRE(own.boxes[4].peer == 5);
  REQUIRE(world.Client(0).OnBoxes(boxes).ok());
  // The masks are in all the same; the two shares are not held and so never revealed.
  REQUIRE(world.Client(0).MaskingPeers() == kClients - 1);
  (void)world.Header(0);
  Survivors all{EmptyBitmap(kClients)};
  for (Index i = 0; i < kClients; ++i) {
    SetBit(all.bitmap, i);
  }
  const StatusOr<Unmask> answer = world.Client(0).OnSurvivorsCurious(all);
  REQUIRE(answer.ok());
  REQUIRE(answer->shares.size() == kClients - 3);
  for (const RevealedShare& share : answer->shares) {
    REQUIRE(share.owner != own.boxes[3].peer);
    REQUIRE(share.owner != 5);
  }
}

}  // namespace tutti::secagg

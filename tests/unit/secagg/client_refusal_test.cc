// A coordinator that lies: every changed message is refused with its code word and nothing leaves
// afterwards.
#include <algorithm>
#include <functional>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/binding.h"
#include "common/secagg/graph.h"
#include "common/secagg/merkle.h"
#include "tests/catch.h"
#include "tests/unit/secagg/world.h"

namespace tutti::secagg {
namespace {

constexpr std::uint32_t kClients = 8;
constexpr ThreatLevel kMalicious = ThreatLevel::kMalicious;
constexpr ThreatLevel kCurious = ThreatLevel::kCurious;

World Joined(ThreatLevel level, std::uint32_t clients = kClients) {
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

World MaskedAll(ThreatLevel level, std::uint32_t missing = kClients) {
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

// A tree over the joins of `world` with some of them changed: a coordinator's lie that hangs
// together.
struct Forgery {
  std::vector<Join> joins;
  std::optional<MerkleTree> tree;

  Forgery(World& world, const std::function<void(std::vector<Join>&)>& change) {
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

  std::uint32_t size() const { return static_cast<std::uint32_t>(joins.size()); }
  Digest Session(const World& world) const {
    return SessionId(ConfigHash(world.config_), tree->root(), size());
  }
  std::vector<Index> NeighboursOf(const World& world, Index client) const {
    const GraphParameters graph = *ChooseGraph(size(), world.config_.level, 0.1, 0.1, 40, 20);
    return NeighboursInGraph(size(), graph.neighbours, Session(world), client);
  }
  Roster RosterFor(const World& world, Index client) const {
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
};

Join SignedJoin(World& world, Join join, std::uint32_t signer) {
  join.certificate = world.identities_[signer].certificate;
  join.signature = crypto::Sign(world.identities_[signer].signing_key,
                                JoinStatement(ConfigHash(world.config_), join));
  return join;
}

}  // namespace

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

TEST_CASE("a lie about the survivors is refused", "[secagg]") {
  using Change = std::function<void(Bytes&)>;
  const auto clear = [](Bytes& set, Index index) {
    set[index / 8] = static_cast<std::uint8_t>(set[index / 8] & ~(1U << (index % 8)));
  };
  const std::vector<Change> changes = {
      [&](Bytes& set) { clear(set, 0); },     // the client itself is dead
      [](Bytes& set) { SetBit(set, 6); },     // a client that never shared is alive
      [](Bytes& set) { set.clear(); },        // no set
      [](Bytes& set) { set.push_back(0); },   // too long
      [](Bytes& set) { set.back() = 0xff; },  // bits beyond the roster
      [](Bytes& set) {
        set = {1, 0};
      },  // alone
      [](Bytes& set) {
        set = {0x0f, 0};
      },  // below the smallest sum
      [](Bytes& set) { std::fill(set.begin(), set.end(), std::uint8_t{0xff}); },
  };
  for (const ThreatLevel level : {kCurious, kMalicious}) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      RoundConfig config = SmallConfig(level, 10, 20);
      config.min_survivors = 5;
      config.min_cohort = 5;
      World world(config, 10, 8);
      world.misses_[6] = Stage::kShare;
      world.misses_[7] = Stage::kMask;
      world.JoinAll();
      REQUIRE(world.Server().CloseJoins().ok());
      world.ShareAll();
      REQUIRE(world.Server().CloseShares().ok());
      world.MaskAll();
      REQUIRE(world.Server().CloseMasked().ok());
      Survivors set = *world.Server().SurvivorsMessage();
      changes[i](set.bitmap);
      INFO("change " << i << " level " << static_cast<int>(level));
      const std::string code = level == kMalicious
                                   ? CodeOf(world.Client(0).OnSurvivors(set))
                                   : CodeOf(world.Client(0).OnSurvivorsCurious(set));
      REQUIRE(code == "SURVIVORS_REJECTED");
      REQUIRE_FALSE(world.Client(0).AnsweredSet().has_value());
      RequireDead(world, 0);
    }
  }
}

TEST_CASE("a survivor set with fewer living neighbours than the threshold is refused", "[secagg]") {
  World world = MaskedAll(kMalicious);
  REQUIRE(world.Server().threshold() == 4);
  REQUIRE(world.config_.min_survivors == 2);
  // This client and three neighbours: enough for the smallest sum, one neighbour short of the
  // threshold.
  const Survivors few{Bytes{0x0f}};
  const StatusOr<Commit> commit = world.Client(0).OnSurvivors(few);
  REQUIRE(CodeOf(commit) == "SURVIVORS_REJECTED");
  REQUIRE(TextOf(commit.status()).find("3 neighbours") != std::string::npos);
}

TEST_CASE("a second survivor set is never answered", "[secagg]") {
  for (const ThreatLevel level : {kCurious, kMalicious}) {
    World world = MaskedAll(level);
    const Survivors all = *world.Server().SurvivorsMessage();
    Survivors fewer = all;
    fewer.bitmap[0] = static_cast<std::uint8_t>(fewer.bitmap[0] & ~2U);
    ClientSession& client = world.Client(0);
    if (level == kMalicious) {
      const Commit first = *client.OnSurvivors(all);
      REQUIRE(*client.OnSurvivors(all) == first);
      REQUIRE(CodeOf(client.OnSurvivors(fewer)) == "CONFLICT");
    } else {
      const Unmask first = *client.OnSurvivorsCurious(all);
      REQUIRE(*client.OnSurvivorsCurious(all) == first);
      REQUIRE(CodeOf(client.OnSurvivorsCurious(fewer)) == "CONFLICT");
    }
    REQUIRE(client.AnsweredSet() == crypto::Sha256(all.bitmap));
    RequireDead(world, 0);
  }
}

TEST_CASE("after the answer another certificate ends the session", "[secagg]") {
  World world = CommittedAll();
  CommitCertificate certificate = *world.Server().CertificateFor(world.Name(0));
  const Unmask answer = *world.Client(0).OnCertificate(certificate);
  REQUIRE(*world.Client(0).OnCertificate(certificate) == answer);
  certificate.commits.back().signature[0] ^= 1;
  REQUIRE(CodeOf(world.Client(0).OnCertificate(certificate)) == "CONFLICT");
  RequireDead(world, 0);
}

TEST_CASE("a certificate changed in any place is refused", "[secagg]") {
  using Change = std::function<void(CommitCertificate&)>;
  const std::vector<Change> changes = {
      [](CommitCertificate& c) { c.commits.clear(); },
      [](CommitCertificate& c) { c.commits.pop_back(); },
      [](CommitCertificate& c) { c.commits.back() = c.commits.front(); },
      [](CommitCertificate& c) { c.commits.push_back(c.commits.back()); },
      [](CommitCertificate& c) { std::swap(c.commits[0], c.commits[1]); },
      [](CommitCertificate& c) { c.commits.back().index = kClients; },
      [](CommitCertificate& c) { c.commits.back().index = 0xffffffff; },
      [](CommitCertificate& c) { c.commits[1].signature[9] ^= 1; },
      [](CommitCertificate& c) { std::swap(c.commits[0].signature, c.commits[1].signature); },
      [](CommitCertificate& c) { c.commits.resize(1000); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    World world = CommittedAll();
    CommitCertificate certificate = *world.Server().CertificateFor(world.Name(0));
    REQUIRE(certificate.commits.size() == 5);  // floor(1.1 * 8 / 2) + 1
    changes[i](certificate);
    INFO("change " << i);
    REQUIRE(CodeOf(world.Client(0).OnCertificate(certificate)) == "CERTIFICATE_REJECTED");
    RequireDead(world, 0);
  }
}

TEST_CASE("commits to another set or another session do not count", "[secagg]") {
  World world = MaskedAll(kMalicious);
  const Survivors all = *world.Server().SurvivorsMessage();
  const StatusOr<Commit> own = world.Client(0).OnSurvivors(all);
  REQUIRE(own.ok());
  const Roster roster = *world.Server().RosterFor(world.Name(0));
  const Digest session = SessionId(ConfigHash(world.config_), roster.root, roster.size);
  Survivors other = all;
  other.bitmap[0] = 0x3f;
  Digest other_session = session;
  other_session[0] ^= 1;
  const auto certificate_over = [&](const Digest& id, const Survivors& set) {
    CommitCertificate certificate;
    for (Index i = 0; i < 6; ++i) {
      certificate.commits.push_back(
          {.index = i,
           .join = {},
           .signature = crypto::Sign(world.identities_[i].signing_key,
                                     CommitStatement(id, crypto::Sha256(set.bitmap)))});
    }
    return certificate;
  };
  SECTION("the right set and session") {
    REQUIRE(world.Client(0).OnCertificate(certificate_over(session, all)).ok());
  }
  SECTION("a signer who is not in the set") {
    World other_world = MaskedAll(kMalicious, 7);
    const Survivors without = *other_world.Server().SurvivorsMessage();
    REQUIRE(other_world.Client(0).OnSurvivors(without).ok());
    const Roster theirs = *other_world.Server().RosterFor(other_world.Name(0));
    const Bytes statement =
        CommitStatement(SessionId(ConfigHash(other_world.config_), theirs.root, theirs.size),
                        crypto::Sha256(without.bitmap));
    CommitCertificate certificate;
    for (const Index i : {0U, 1U, 2U, 3U, 7U}) {
      certificate.commits.push_back(
          {.index = i,
           .join = {},
           .signature = crypto::Sign(other_world.identities_[i].signing_key, statement)});
    }
    const StatusOr<Unmask> answer = other_world.Client(0).OnCertificate(certificate);
    REQUIRE(CodeOf(answer) == "CERTIFICATE_REJECTED");
    REQUIRE(TextOf(answer.status()).find("not in the survivor set") != std::string::npos);
  }
  SECTION("another set") {
    REQUIRE(CodeOf(world.Client(0).OnCertificate(certificate_over(session, other))) ==
            "CERTIFICATE_REJECTED");
  }
  SECTION("another session") {
    REQUIRE(CodeOf(world.Client(0).OnCertificate(certificate_over(other_session, all))) ==
            "CERTIFICATE_REJECTED");
  }
}

TEST_CASE("in a sparse cohort the certificate proves signers who are no neighbours", "[secagg]") {
  World world(SmallConfig(kMalicious, 70, 5), 70, 12);
  world.JoinAll();
  REQUIRE(world.Server().CloseJoins().ok());
  world.ShareAll();
  REQUIRE(world.Server().CloseShares().ok());
  world.MaskAll();
  REQUIRE(world.Server().CloseMasked().ok());
  world.CommitAll();
  REQUIRE(world.Server().CloseCommits().ok());
  CommitCertificate certificate = *world.Server().CertificateFor(world.Name(0));
  REQUIRE(certificate.commits.size() == 39);  // floor(1.1 * 70 / 2) + 1
  const auto stranger = std::find_if(certificate.commits.begin(), certificate.commits.end(),
                                     [](const CommitEntry& e) { return e.join != Join{}; });
  REQUIRE(stranger != certificate.commits.end());
  SECTION("as sent it is accepted") {
    REQUIRE(world.Client(0).OnCertificate(certificate).ok());
    REQUIRE(world.Client(0).OnCertificate(certificate).ok());
  }
  SECTION("without the whole proof it is refused") {
    certificate.proof.pop_back();
    REQUIRE(CodeOf(world.Client(0).OnCertificate(certificate)) == "CERTIFICATE_REJECTED");
  }
  SECTION("a signer without its join is refused") {
    stranger->join = {};
    const StatusOr<Unmask> answer = world.Client(0).OnCertificate(certificate);
    REQUIRE(CodeOf(answer) == "CERTIFICATE_REJECTED");
    REQUIRE(TextOf(answer.status()).find("commit of client") != std::string::npos);
  }
  SECTION("a signer whose join is not the one in the tree is refused") {
    stranger->join.nonce[0] ^= 1;
    REQUIRE(CodeOf(world.Client(0).OnCertificate(certificate)) == "CERTIFICATE_REJECTED");
  }
  SECTION("a signer with another's certificate is refused") {
    stranger->join.certificate = world.identities_[0].certificate;
    REQUIRE(CodeOf(world.Client(0).OnCertificate(certificate)) == "CERTIFICATE_REJECTED");
  }
}

TEST_CASE("one client at two places of the tree counts once", "[secagg]") {
  // A coordinator puts client 1's certificate at a second place, where the victim (who is no
  // neighbour of that place) did not look, and counts client 1's commit twice.
  World world(SmallConfig(kMalicious, 70, 5), 70, 13);
  SeededSecureRng rng(5);
  std::optional<Index> doubled;
  std::optional<Forgery> forged;
  for (Index place = 2; place < 70 && !doubled.has_value(); ++place) {
    forged.emplace(world, [&](std::vector<Join>& joins) {
      joins[place].box_key = crypto::PublicOf(crypto::NewX25519Key(rng));
      joins[place].mask_key = crypto::PublicOf(crypto::NewX25519Key(rng));
      joins[place] = SignedJoin(world, joins[place], 1);
    });
    const std::vector<Index> row = forged->NeighboursOf(world, 0);
    if (!std::binary_search(row.begin(), row.end(), place)) {
      doubled = place;
    }
  }
  REQUIRE(doubled.has_value());
  const Digest session = forged->Session(world);
  const std::vector<Index> row = forged->NeighboursOf(world, 0);
  REQUIRE(world.Client(0).OnRoster(forged->RosterFor(world, 0), world.rng_).ok());
  // The victim's neighbours share with it as they would.
  Boxes boxes;
  for (const Index peer : row) {
    const Roster theirs = forged->RosterFor(world, peer);
    const StatusOr<Shares> shares = world.Client(peer).OnRoster(theirs, world.rng_);
    if (!shares.ok()) {
      continue;  // it sees client 1 at both places and refuses
    }
    const auto box = std::find_if(shares->boxes.begin(), shares->boxes.end(),
                                  [](const ShareBox& b) { return b.peer == 0; });
    REQUIRE(box != shares->boxes.end());
    boxes.boxes.push_back(*box);
    boxes.boxes.back().peer = peer;
  }
  REQUIRE(world.Client(0).OnBoxes(boxes).ok());
  (void)world.Header(0);
  Survivors all{EmptyBitmap(70)};
  for (Index i = 0; i < 70; ++i) {
    if (!std::binary_search(row.begin(), row.end(), i) ||
        std::any_of(boxes.boxes.begin(), boxes.boxes.end(),
                    [i](const ShareBox& b) { return b.peer == i; })) {
      SetBit(all.bitmap, i);
    }
  }
  REQUIRE(TextOf(world.Client(0).OnSurvivors(all).status()) == "");
  const Bytes statement = CommitStatement(session, crypto::Sha256(all.bitmap));
  // With a proof of every commit's join, or of all but the doubled one.
  const auto certificate_of = [&](bool both_places) {
    CommitCertificate certificate;
    std::vector<Index> in_proof = row;
    in_proof.push_back(0);
    for (Index i = 0; i < 70; ++i) {
      if (!TestBit(all.bitmap, i) || (i == *doubled && !both_places)) {
        continue;
      }
      const Index signer = i == *doubled ? 1 : i;
      certificate.commits.push_back(
          {.index = i,
           .join = forged->joins[i],
           .signature = crypto::Sign(world.identities_[signer].signing_key, statement)});
      if (i != 0 && !std::binary_search(row.begin(), row.end(), i)) {
        in_proof.push_back(i);
      }
    }
    std::sort(in_proof.begin(), in_proof.end());
    certificate.proof = forged->tree->ProofOf(std::move(in_proof));
    return certificate;
  };
  REQUIRE(TestBit(all.bitmap, 1));
  SECTION("with both places it is refused") {
    const StatusOr<Unmask> answer = world.Client(0).OnCertificate(certificate_of(true));
    REQUIRE(CodeOf(answer) == "CERTIFICATE_REJECTED");
    REQUIRE(TextOf(answer.status()).find("who signed already") != std::string::npos);
  }
  SECTION("with one of them it is accepted") {
    REQUIRE(TextOf(world.Client(0).OnCertificate(certificate_of(false)).status()) == "");
  }
}

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

// Clients that lie or stumble: the server session refuses the message, names who and why, and its
// state stays.
#include <algorithm>
#include <functional>

#include "common/base/text.h"
#include "common/crypto/box.h"
#include "common/secagg/binding.h"
#include "common/secagg/chunks.h"
#include "common/secagg/shamir.h"
#include "tests/catch.h"
#include "tests/unit/secagg/world.h"

namespace tutti::secagg {
namespace {

constexpr ThreatLevel kMalicious = ThreatLevel::kMalicious;
constexpr ThreatLevel kCurious = ThreatLevel::kCurious;
constexpr std::uint32_t kClients = 6;

World Fresh(ThreatLevel level) { return World(SmallConfig(level, kClients, 10), kClients, 55); }

void RequireRefused(const Status& status, StatusCode code, std::string_view text) {
  INFO(TextOf(status));
  REQUIRE(status.code() == code);
  REQUIRE(TextOf(status).find(text) != std::string::npos);
}

// A client by hand, at level curious, that shares what it likes.
struct LyingOwner {
  explicit LyingOwner(const RoundConfig& config) : rng(4711), config_hash(ConfigHash(config)) {
    box_key = crypto::NewX25519Key(rng);
    mask_key = crypto::NewX25519Key(rng);
    rng.Fill(seed.mutable_view());
    join.box_key = crypto::PublicOf(box_key);
    join.mask_key = crypto::PublicOf(mask_key);
    join.seed_commitment = SeedCommitment(config_hash, seed);
  }

  Shares Share(const Roster& roster, const Secret32& shared_seed, const Secret32& shared_key,
               std::uint32_t threshold) {
    const Digest session = SessionId(config_hash, roster.root, roster.size);
    const auto holders = static_cast<std::uint32_t>(roster.entries.size());
    const std::vector<Secret32> seeds = SplitSecret(shared_seed, threshold, holders, rng);
    const std::vector<Secret32> keys = SplitSecret(shared_key, threshold, holders, rng);
    Shares shares;
    for (const RosterEntry& entry : roster.entries) {
      const std::size_t place = shares.boxes.size();
      ShareBox box{.peer = entry.index, .ciphertext = {}, .share_hash = {}};
      box.share_hash = ShareHash(session, roster.own_index, entry.index, seeds[place].view(),
                                 keys[place].view());
      Bytes plain(seeds[place].view().begin(), seeds[place].view().end());
      plain.insert(plain.end(), keys[place].view().begin(), keys[place].view().end());
      const Secret32 pair = PairSecret(session, *crypto::Agree(box_key, entry.join.box_key));
      const Bytes sealed =
          crypto::Seal(BoxKey(pair, roster.own_index, entry.index),
                       BoxAssociatedData(session, roster.own_index, entry.index), plain);
      std::copy(sealed.begin(), sealed.end(), box.ciphertext.begin());
      shares.boxes.push_back(box);
    }
    return shares;
  }

  SeededSecureRng rng;
  Digest config_hash;
  crypto::X25519Private box_key, mask_key;
  Secret32 seed;
  Join join;
};

// A round at level curious whose last client is the liar; `drops`: its vector never comes.
StatusOr<std::vector<LeftoverMask>> RoundWithLiar(
    const std::function<Shares(LyingOwner&, const Roster&, std::uint32_t)>& share, bool drops) {
  World world = Fresh(kCurious);
  const std::uint32_t liar = kClients - 1;
  LyingOwner owner(world.config_);
  for (std::uint32_t i = 0; i < kClients; ++i) {
    REQUIRE(world.Server()
                .AddJoin(world.Name(i), i == liar ? owner.join : world.Client(i).JoinMessage())
                .ok());
  }
  REQUIRE(world.Server().CloseJoins().ok());
  for (std::uint32_t i = 0; i < liar; ++i) {
    REQUIRE(TextOf(world.Share(i)) == "");
  }
  const Shares shares =
      share(owner, *world.Server().RosterFor(world.Name(liar)), world.Server().threshold());
  REQUIRE(TextOf(world.Server().AddShares(world.Name(liar), shares)) == "");
  REQUIRE(world.Server().CloseShares().ok());
  world.misses_[liar] = Stage::kMask;
  world.MaskAll();
  if (!drops) {
    REQUIRE(
        world.Server()
            .AddMasked(world.Name(liar), UnsignedHeader(ToWire(RingVector(world.config_.layout()))))
            .ok());
  }
  REQUIRE(world.Server().CloseMasked().ok());
  world.UnmaskAll();
  REQUIRE(world.Server().CanRebuild());
  return world.Server().Rebuild();
}

}  // namespace

TEST_CASE("joins that break a rule are refused by name", "[secagg]") {
  World world = Fresh(kMalicious);
  ServerSession& server = world.Server();
  const ClientId first = world.Name(0);
  const Join good = world.Client(0).JoinMessage();
  const auto resigned = [&](Join join, std::uint32_t signer) {
    join.certificate = world.identities_[signer].certificate;
    join.signature = crypto::Sign(world.identities_[signer].signing_key,
                                  JoinStatement(server.config_hash(), join));
    return join;
  };
  Join join = good;
  join.signature[0] ^= 1;
  RequireRefused(server.AddJoin(first, join), StatusCode::kInvalidArgument,
                 "client c000's join is not signed");
  join = good;
  join.certificate.push_back(1);
  RequireRefused(server.AddJoin(first, join), StatusCode::kInvalidArgument, "pinned CA");
  RequireRefused(server.AddJoin(world.Name(1), good), StatusCode::kInvalidArgument,
                 "certificate of c000");
  join = good;
  join.mask_key = {};
  RequireRefused(server.AddJoin(first, resigned(join, 0)), StatusCode::kInvalidArgument,
                 "low order");
  join = good;
  join.box_key = {};
  join.box_key[0] = 1;
  RequireRefused(server.AddJoin(first, resigned(join, 0)), StatusCode::kInvalidArgument,
                 "low order");
  join = good;
  join.box_key = join.mask_key;
  RequireRefused(server.AddJoin(first, resigned(join, 0)), StatusCode::kInvalidArgument,
                 "used before");
  REQUIRE(server.joined() == 0);

  REQUIRE(server.AddJoin(first, good).ok());
  REQUIRE(server.AddJoin(first, good).ok());
  REQUIRE(server.joined() == 1);
  join = good;
  join.nonce[0] ^= 1;
  RequireRefused(server.AddJoin(first, resigned(join, 0)), StatusCode::kAlreadyExists, "CONFLICT");
  join = world.Client(1).JoinMessage();
  join.mask_key = good.mask_key;
  RequireRefused(server.AddJoin(world.Name(1), resigned(join, 1)), StatusCode::kInvalidArgument,
                 "used before");
  join = world.Client(1).JoinMessage();
  join.box_key = good.mask_key;
  RequireRefused(server.AddJoin(world.Name(1), resigned(join, 1)), StatusCode::kInvalidArgument,
                 "used before");
  REQUIRE(server.joined() == 1);
  RequireRefused(server.CloseJoins(), StatusCode::kFailedPrecondition, "only 1 clients joined");
  REQUIRE(server.step() == ServerStep::kJoining);
}

TEST_CASE("a full cohort and a late join are refused, a repeated join is not", "[secagg]") {
  RoundConfig config = SmallConfig(kCurious, 4, 3);
  World world(config, 6, 3);
  for (std::uint32_t i = 0; i < 4; ++i) {
    REQUIRE(world.Server().AddJoin(world.Name(i), world.Client(i).JoinMessage()).ok());
  }
  RequireRefused(world.Server().AddJoin(world.Name(4), world.Client(4).JoinMessage()),
                 StatusCode::kFailedPrecondition, "full");
  REQUIRE(world.Server().CloseJoins().ok());
  RequireRefused(world.Server().AddJoin(world.Name(4), world.Client(4).JoinMessage()),
                 StatusCode::kFailedPrecondition, "LATE");
  REQUIRE(world.Server().AddJoin(world.Name(0), world.Client(0).JoinMessage()).ok());
  Join other = world.Client(5).JoinMessage();
  RequireRefused(world.Server().AddJoin(world.Name(0), other), StatusCode::kAlreadyExists,
                 "CONFLICT");
  RequireRefused(world.Server().RosterFor(world.Name(4)).status(), StatusCode::kNotFound,
                 "not in the roster");
  RequireRefused(world.Server().CloseJoins(), StatusCode::kFailedPrecondition, "LATE");
}

TEST_CASE("at level curious a certificate or signature is refused", "[secagg]") {
  World world = Fresh(kCurious);
  Join join = world.Client(0).JoinMessage();
  join.certificate = {1};
  RequireRefused(world.Server().AddJoin(world.Name(0), join), StatusCode::kInvalidArgument,
                 "level curious");
  RequireRefused(world.Server().AddCommit(world.Name(0), {}), StatusCode::kInvalidArgument,
                 "level curious");
}

TEST_CASE("every message before its step is early and changes nothing", "[secagg]") {
  for (const ThreatLevel level : {kCurious, kMalicious}) {
    World world = Fresh(level);
    ServerSession& server = world.Server();
    const ClientId client = world.Name(0);
    const auto early = [](const Status& status) {
      RequireRefused(status, StatusCode::kFailedPrecondition, "EARLY");
    };
    early(server.RosterFor(client).status());
    early(server.AddShares(client, {}));
    early(server.CloseShares());
    early(server.BoxesFor(client).status());
    early(server.CheckHeader(client, {}));
    early(server.AddMasked(client, {}));
    early(server.CloseMasked());
    early(server.SurvivorsMessage().status());
    early(server.AddUnmask(client, {}));
    early(server.Rebuild().status());
    REQUIRE_FALSE(server.CanRebuild());
    if (level == kMalicious) {
      early(server.AddCommit(client, {}));
      early(server.CloseCommits());
      early(server.CertificateFor(client).status());
    }
    REQUIRE(server.step() == ServerStep::kJoining);
  }
}

TEST_CASE("share lists that break a rule are refused", "[secagg]") {
  for (const ThreatLevel level : {kCurious, kMalicious}) {
    World world = Fresh(level);
    world.JoinAll();
    ServerSession& server = world.Server();
    REQUIRE(server.CloseJoins().ok());
    const ClientId client = world.Name(0);
    const Shares good = *world.Client(0).OnRoster(*server.RosterFor(client), world.rng_);
    const std::vector<std::function<void(Shares&)>> changes = {
        [](Shares& s) { s.boxes.clear(); },
        [](Shares& s) { s.boxes.pop_back(); },
        [](Shares& s) { s.boxes.push_back(s.boxes.back()); },
        [](Shares& s) { std::swap(s.boxes[0], s.boxes[1]); },
        [](Shares& s) { s.boxes[2].peer = 0; },
        [](Shares& s) { s.boxes[2].peer = 0xffffffff; },
    };
    for (const auto& change : changes) {
      Shares shares = good;
      change(shares);
      RequireRefused(server.AddShares(client, shares), StatusCode::kInvalidArgument,
                     "client c000 sent");
    }
    if (level == kMalicious) {
      Shares shares = good;
      shares.boxes[1].ciphertext[7] ^= 1;
      RequireRefused(server.AddShares(client, shares), StatusCode::kInvalidArgument, "not signed");
      RequireRefused(server.AddShares(world.Name(1), good), StatusCode::kInvalidArgument,
                     "client c001 sent");
    }
    REQUIRE(server.shared() == 0);
    REQUIRE(server.AddShares(client, good).ok());
    REQUIRE(server.AddShares(client, good).ok());
    REQUIRE(server.shared() == 1);
    Shares other = good;
    other.boxes[0].share_hash[0] ^= 1;
    RequireRefused(server.AddShares(client, other), StatusCode::kAlreadyExists, "CONFLICT");
    RequireRefused(server.AddShares(ClientId("stranger"), good), StatusCode::kNotFound, "stranger");
    RequireRefused(server.CloseShares(), StatusCode::kFailedPrecondition,
                   "can go on after sharing");
    REQUIRE(server.Sharers().empty());
    REQUIRE(server.step() == ServerStep::kSharing);
    for (std::uint32_t i = 1; i < kClients - 1; ++i) {
      REQUIRE(world.Share(i).ok());
    }
    REQUIRE(server.CloseShares().ok());
    RequireRefused(world.Share(kClients - 1), StatusCode::kFailedPrecondition, "LATE");
    REQUIRE(server.AddShares(client, good).ok());  // a repeated one is still the same answer
    RequireRefused(server.BoxesFor(world.Name(kClients - 1)).status(), StatusCode::kNotFound,
                   "not among");
  }
}

TEST_CASE("headers that break a rule are refused and counted once when good", "[secagg]") {
  World world = Fresh(kMalicious);
  world.misses_[5] = Stage::kShare;
  world.JoinAll();
  ServerSession& server = world.Server();
  REQUIRE(server.CloseJoins().ok());
  world.ShareAll();
  REQUIRE(server.CloseShares().ok());
  REQUIRE(world.Client(0).OnBoxes(*server.BoxesFor(world.Name(0))).ok());
  REQUIRE(world.Client(1).OnBoxes(*server.BoxesFor(world.Name(1))).ok());
  const MaskedHeader good = world.Header(0);
  MaskedHeader header = good;
  ++header.bytes;
  RequireRefused(server.AddMasked(world.Name(0), header), StatusCode::kInvalidArgument,
                 "announced a vector of");
  header = good;
  header.chunks[0][0] ^= 1;
  RequireRefused(server.AddMasked(world.Name(0), header), StatusCode::kInvalidArgument,
                 "do not make the root");
  header.chunks.push_back(header.chunks.front());
  RequireRefused(server.AddMasked(world.Name(0), header), StatusCode::kInvalidArgument,
                 "2 chunk digests do not make the root");
  header = UnsignedHeader(ToWire(RingVector(world.config_.layout())));
  RequireRefused(server.AddMasked(world.Name(0), header), StatusCode::kInvalidArgument,
                 "not signed");
  RequireRefused(server.AddMasked(world.Name(1), good), StatusCode::kInvalidArgument,
                 "client c001's header");
  RequireRefused(server.AddMasked(world.Name(5), good), StatusCode::kFailedPrecondition, "LATE");
  REQUIRE(server.masked() == 0);
  REQUIRE(server.CheckHeader(world.Name(0), good).ok());
  REQUIRE(server.masked() == 0);
  REQUIRE(server.AddMasked(world.Name(0), good).ok());
  REQUIRE(server.AddMasked(world.Name(0), good).ok());
  REQUIRE(server.masked() == 1);
  RequireRefused(server.AddMasked(world.Name(0), header), StatusCode::kAlreadyExists, "CONFLICT");
  RequireRefused(server.CloseMasked(), StatusCode::kFailedPrecondition, "only 1 masked vectors");
}

TEST_CASE("commits that break a rule are refused", "[secagg]") {
  World world = Fresh(kMalicious);
  world.misses_[5] = Stage::kMask;
  world.JoinAll();
  ServerSession& server = world.Server();
  REQUIRE(server.CloseJoins().ok());
  world.ShareAll();
  REQUIRE(server.CloseShares().ok());
  world.MaskAll();
  REQUIRE(server.CloseMasked().ok());
  const Survivors set = *server.SurvivorsMessage();
  const Commit good = *world.Client(0).OnSurvivors(set);
  Commit changed = good;
  changed.signature[0] ^= 1;
  RequireRefused(server.AddCommit(world.Name(0), changed), StatusCode::kInvalidArgument,
                 "client c000's commit");
  RequireRefused(server.AddCommit(world.Name(1), good), StatusCode::kInvalidArgument,
                 "client c001's commit");
  RequireRefused(server.AddCommit(world.Name(5), good), StatusCode::kInvalidArgument,
                 "not in the survivor set");
  REQUIRE(server.committed() == 0);
  REQUIRE(server.AddCommit(world.Name(0), good).ok());
  REQUIRE(server.AddCommit(world.Name(0), good).ok());
  REQUIRE(server.committed() == 1);
  RequireRefused(server.AddCommit(world.Name(0), changed), StatusCode::kAlreadyExists, "CONFLICT");
  REQUIRE(server.CommitsNeeded() == 4);
  RequireRefused(server.CloseCommits(), StatusCode::kFailedPrecondition,
                 "only 1 clients committed");
}

TEST_CASE("revealed shares that break a rule are refused and the holder is named", "[secagg]") {
  for (const ThreatLevel level : {kCurious, kMalicious}) {
    World world = Fresh(level);
    world.misses_[5] = Stage::kMask;
    world.misses_[4] = Stage::kCommit;
    world.JoinAll();
    ServerSession& server = world.Server();
    REQUIRE(server.CloseJoins().ok());
    world.ShareAll();
    REQUIRE(server.CloseShares().ok());
    world.MaskAll();
    REQUIRE(server.CloseMasked().ok());
    if (level == kMalicious) {
      world.CommitAll();
      REQUIRE(server.CloseCommits().ok());
    }
    const auto answer_of = [&](std::uint32_t i) {
      return level == kMalicious
                 ? *world.Client(i).OnCertificate(*server.CertificateFor(world.Name(i)))
                 : *world.Client(i).OnSurvivorsCurious(*server.SurvivorsMessage());
    };
    const Unmask good = answer_of(0);
    const std::vector<std::pair<std::string, std::function<void(Unmask&)>>> changes = {
        {"of owner 0", [](Unmask& u) { u.shares[0].owner = 0; }},
        {"of owner 4294967295", [](Unmask& u) { u.shares[0].owner = 0xffffffff; }},
        {"ascending", [](Unmask& u) { u.shares.push_back(u.shares[1]); }},
        {"ascending", [](Unmask& u) { std::swap(u.shares[0], u.shares[1]); }},
        {"mask key, which survived", [](Unmask& u) { u.shares[1].is_mask_key = true; }},
        {"seed, which dropped", [](Unmask& u) { u.shares.back().is_mask_key = false; }},
        {"does not fit the hash", [](Unmask& u) { u.shares[1].share[31] ^= 1; }},
        {"does not fit the hash",
         [](Unmask& u) { std::swap(u.shares[1].share, u.shares[2].share); }},
        {"does not fit the hash", [](Unmask& u) { u.shares.back().share[0] ^= 1; }},
    };
    for (const auto& [text, change] : changes) {
      Unmask unmask = good;
      change(unmask);
      const Status status = server.AddUnmask(world.Name(0), unmask);
      RequireRefused(status, StatusCode::kInvalidArgument, text);
      REQUIRE(TextOf(status).find("client c000") == 0);
    }
    RequireRefused(server.AddUnmask(world.Name(1), good), StatusCode::kInvalidArgument,
                   "client c001");
    RequireRefused(server.AddUnmask(world.Name(5), good), StatusCode::kInvalidArgument,
                   "not in the survivor set");
    if (level == kMalicious) {
      RequireRefused(server.AddUnmask(world.Name(4), {}), StatusCode::kInvalidArgument,
                     "never committed");
    }
    REQUIRE(server.unmasked() == 0);
    REQUIRE(server.AddUnmask(world.Name(0), good).ok());
    REQUIRE(server.AddUnmask(world.Name(0), good).ok());
    REQUIRE(server.unmasked() == 1);
    Unmask other = good;
    other.shares.pop_back();
    RequireRefused(server.AddUnmask(world.Name(0), other), StatusCode::kAlreadyExists, "CONFLICT");
    REQUIRE_FALSE(server.CanRebuild());
    RequireRefused(server.Rebuild().status(), StatusCode::kFailedPrecondition, "wait for more");
    // The sum still opens with the honest answers of the others.
    for (std::uint32_t i = 1; i < 4; ++i) {
      REQUIRE(TextOf(server.AddUnmask(world.Name(i), answer_of(i))) == "");
    }
    REQUIRE(server.CanRebuild());
    const StatusOr<std::vector<LeftoverMask>> masks = server.Rebuild();
    REQUIRE(TextOf(masks.status()) == "");
    REQUIRE(world.Sum().RemoveMasks(*masks, 0, world.Sum().sum().count()).ok());
    REQUIRE(ToWire(world.Sum().sum()) == world.PlainSum());
    RequireRefused(server.AddUnmask(world.Name(4), {}), StatusCode::kFailedPrecondition, "LATE");
  }
}

TEST_CASE("an owner that shares another seed than it committed to is named and the sum stays shut",
          "[secagg]") {
  const auto wrong_seed = [](LyingOwner& owner, const Roster& roster, std::uint32_t threshold) {
    return owner.Share(roster, owner.mask_key, owner.mask_key, threshold);
  };
  RequireRefused(RoundWithLiar(wrong_seed, false).status(), StatusCode::kAborted,
                 "client c005 shared a seed");
  REQUIRE(RoundWithLiar(wrong_seed, true).ok());  // its seed is not needed when it drops
}

TEST_CASE("an owner that shares another mask key than it advertised is named", "[secagg]") {
  const auto wrong_key = [](LyingOwner& owner, const Roster& roster, std::uint32_t threshold) {
    return owner.Share(roster, owner.seed, owner.seed, threshold);
  };
  RequireRefused(RoundWithLiar(wrong_key, true).status(), StatusCode::kAborted,
                 "client c005 shared a mask key");
  REQUIRE(RoundWithLiar(wrong_key, false).ok());
}

TEST_CASE("an owner whose shares lie on no polynomial is named", "[secagg]") {
  const auto inconsistent = [](LyingOwner& owner, const Roster& roster, std::uint32_t threshold) {
    Shares shares = owner.Share(roster, owner.seed, owner.mask_key, threshold);
    const Shares others = owner.Share(roster, owner.seed, owner.mask_key, threshold);
    shares.boxes[0] = others.boxes[0];
    return shares;
  };
  RequireRefused(RoundWithLiar(inconsistent, false).status(), StatusCode::kAborted, "client c005");
}

TEST_CASE("a box whose hash lies costs its owner that share and no more", "[secagg]") {
  const auto wrong_hash = [](LyingOwner& owner, const Roster& roster, std::uint32_t threshold) {
    Shares shares = owner.Share(roster, owner.seed, owner.mask_key, threshold);
    shares.boxes[0].share_hash[0] ^= 1;   // the seed's half
    shares.boxes[1].share_hash[15] ^= 1;  // the mask key's half
    return shares;
  };
  REQUIRE(RoundWithLiar(wrong_hash, false).ok());
  REQUIRE(RoundWithLiar(wrong_hash, true).ok());
}

TEST_CASE("a round at level malicious runs on real certificates", "[secagg]") {
  class FixedClock final : public Clock {
   public:
    Instant Now() const override { return Instant(0); }
    WallSeconds Wall() const override { return 1700000000; }
  };
  const FixedClock clock;
  SeededSecureRng rng(21);
  const crypto::KeyPair ca = crypto::NewKeyPair(rng);
  const std::string ca_pem = *crypto::NewCaCertificatePem(ca, "test ca", clock.Wall(), 10);
  const auto certify = [&](const std::string& name, const crypto::KeyPair& key,
                           const std::string& role) {
    const crypto::IssueSettings settings{
        .name = name, .role = role, .server_names = {}, .now = clock.Wall(), .days = 5};
    return *crypto::CertificateDer(*crypto::IssueForKey(ca.key, ca_pem, key.public_key, settings));
  };
  crypto::CachingVerifier verifier(ca_pem, clock);
  const RoundConfig config = SmallConfig(kMalicious, 4, 6);
  ServerSession server = *ServerSession::Open(config, &verifier);
  std::vector<ClientSession> clients;
  for (const std::string name : {"anna", "bert", "cleo"}) {
    const crypto::KeyPair key = crypto::NewKeyPair(rng);
    const ClientIdentity identity{.signing_key = key.key,
                                  .certificate = certify(name, key, "trainer")};
    StatusOr<ClientSession> client = ClientSession::Start(config, identity, &verifier, rng);
    REQUIRE(TextOf(client.status()) == "");
    clients.push_back(*std::move(client));
    REQUIRE(TextOf(server.AddJoin(ClientId(name), clients.back().JoinMessage())) == "");
  }
  const crypto::KeyPair evaluator = crypto::NewKeyPair(rng);
  const ClientIdentity wrong_role{.signing_key = evaluator.key,
                                  .certificate = certify("eva", evaluator, "evaluator")};
  REQUIRE(TextOf(ClientSession::Start(config, wrong_role, &verifier, rng).status())
              .find("expected 'trainer'") != std::string::npos);
  REQUIRE(server.CloseJoins().ok());
  const std::vector<ClientId> members = server.Members();
  for (std::size_t i = 0; i < members.size(); ++i) {
    const StatusOr<Shares> shares = clients[i].OnRoster(*server.RosterFor(members[i]), rng);
    REQUIRE(TextOf(shares.status()) == "");
    REQUIRE(server.AddShares(members[i], *shares).ok());
  }
  REQUIRE(server.CloseShares().ok());
}

}  // namespace tutti::secagg

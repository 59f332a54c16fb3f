// A coordinator that lies about who survived and who agreed to it: refused with its code word, and
// no share leaves.
#include <algorithm>
#include <functional>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/binding.h"
#include "tests/catch.h"
#include "tests/unit/secagg/lies.h"

namespace tutti::secagg {

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

}  // namespace tutti::secagg

#include "server/cohort/suspicion.h"

#include <algorithm>
#include <string>

#include "common/base/text.h"
#include "server/cohort/cohort.h"
#include "tests/sim/test_identity.h"

#include "tests/catch.h"

namespace tutti::cohort {
namespace {

// "a c" as clients.
std::vector<ClientId> Named(const std::string& letters) {
  std::vector<ClientId> clients;
  for (const char letter : letters) {
    clients.push_back(ClientId(std::string(1, letter)));
  }
  return clients;
}

SpoiledSum Sum(const std::string& survivors, std::uint8_t number) {
  SpoiledSum sum{{}, Named(survivors)};
  sum.session[0] = number;
  return sum;
}

const ClientId kA("a");
const ClientId kB("b");
constexpr Assumption kOneOfTen{1, 10};
constexpr Assumption kTwoOfTen{2, 10};

}  // namespace

TEST_CASE("a spoiled sum makes suspects of its survivors, one that passed clears a step",
          "[suspicion]") {
  Suspicion suspicion;
  suspicion.Spoiled(Sum("abc", 1));
  suspicion.Spoiled(Sum("abd", 2));
  REQUIRE(suspicion.ScoreOf(kA) == 2);
  REQUIRE(suspicion.ScoreOf(ClientId("d")) == 1);
  REQUIRE(suspicion.Passed(Named("acd")));
  REQUIRE(suspicion.ScoreOf(kA) == 1);
  REQUIRE(suspicion.ScoreOf(kB) == 2);
  REQUIRE(suspicion.ScoreOf(ClientId("c")) == 0);
  REQUIRE_FALSE(suspicion.Passed(Named("cdxyz")));
  REQUIRE(suspicion.record().clients.size() == 2);
}

TEST_CASE("suspicion does not rise without end", "[suspicion]") {
  Suspicion suspicion;
  for (int i = 0; i < 100; ++i) {
    suspicion.Spoiled(Sum("abc", 1));
  }
  REQUIRE(suspicion.ScoreOf(kA) == kHighestSuspicion);
}

TEST_CASE("who shares f + 1 spoiled sums with no other client twice is excluded", "[suspicion]") {
  Suspicion suspicion;
  suspicion.Spoiled(Sum("abc", 1));
  REQUIRE(suspicion.Exclude(kTwoOfTen).empty());
  suspicion.Spoiled(Sum("ade", 2));
  REQUIRE(suspicion.Exclude(kTwoOfTen).empty());
  suspicion.Spoiled(Sum("afc", 3));
  REQUIRE(suspicion.Exclude(kTwoOfTen).empty());  // c may have spoiled two of them
  suspicion.Spoiled(Sum("afg", 4));
  REQUIRE(suspicion.Exclude(kTwoOfTen) == std::vector<ClientId>{kA});
  REQUIRE(suspicion.IsExcluded(kA));
  REQUIRE(suspicion.record().clients.at(kA).excluded.find("3 spoiled sums") == 0);
  // What it explains is held against nobody else.
  REQUIRE(suspicion.record().clients.size() == 1);
  REQUIRE(suspicion.record().sums.empty());
}

TEST_CASE("sums that share nobody show that more lie than was assumed", "[suspicion]") {
  Suspicion suspicion;
  suspicion.Spoiled(Sum("abc", 1));
  suspicion.Spoiled(Sum("ade", 2));
  suspicion.Spoiled(Sum("xyz", 3));  // two lie: a and one of these, or two others and one of these
  REQUIRE(suspicion.Exclude(kOneOfTen).empty());
  suspicion.Spoiled(Sum("afg", 4));
  REQUIRE(suspicion.Exclude(kOneOfTen) == std::vector<ClientId>{kA});
}

TEST_CASE("a sum that passed takes no evidence away: some lie now and then", "[suspicion]") {
  Suspicion suspicion;
  suspicion.Spoiled(Sum("abc", 1));
  suspicion.Passed(Named("abc"));
  REQUIRE(suspicion.ScoreOf(kA) == 0);
  suspicion.Spoiled(Sum("ade", 2));
  REQUIRE(suspicion.Exclude(kOneOfTen) == std::vector<ClientId>{kA});
}

TEST_CASE("what is held against a client can be taken back", "[suspicion]") {
  Suspicion suspicion;
  suspicion.Spoiled(Sum("abc", 1));
  suspicion.Spoiled(Sum("ade", 2));
  REQUIRE(suspicion.Exclude(kOneOfTen) == std::vector<ClientId>{kA});
  suspicion.Spoiled(Sum("bxy", 3));
  REQUIRE(suspicion.Forget(kA));
  REQUIRE_FALSE(suspicion.IsExcluded(kA));
  REQUIRE(suspicion.record().sums.size() == 1);
  REQUIRE_FALSE(suspicion.Forget(kA));
  REQUIRE(suspicion.Forget(kB));
  REQUIRE(suspicion.record().clients.empty());
  REQUIRE(suspicion.record().sums.empty());
}

TEST_CASE("evidence is bounded, the oldest goes first", "[suspicion]") {
  Suspicion suspicion;
  for (std::size_t i = 0; i < 2 * kSumsKept; ++i) {
    suspicion.Spoiled(Sum("ab", static_cast<std::uint8_t>(i)));
    REQUIRE(suspicion.record().sums.size() <= kSumsKept);
  }
  SpoiledSum large;
  for (std::size_t i = 0; i < kSurvivorsKept + 1; ++i) {
    large.survivors.push_back(ClientId(Join("c", i)));
  }
  suspicion.Spoiled(large);
  REQUIRE(suspicion.record().sums.size() == 1);
  suspicion.Spoiled(Sum("ab", 1));
  REQUIRE(suspicion.record().sums.size() == 1);
  REQUIRE(suspicion.record().sums.front().survivors == Named("ab"));
}

TEST_CASE("an earlier process's record is taken up within the bounds", "[suspicion]") {
  SuspicionRecord record;
  record.clients[kA] = {1000, ""};
  record.clients[kB] = {0, "proven"};
  record.sums.assign(2 * kSumsKept, Sum("ba", 1));
  Suspicion suspicion;
  suspicion.Restore(record);
  REQUIRE(suspicion.ScoreOf(kA) == kHighestSuspicion);
  REQUIRE(suspicion.IsExcluded(kB));
  REQUIRE(suspicion.record().sums.size() == kSumsKept);
  REQUIRE(suspicion.record().sums.front().survivors == Named("ab"));
}

TEST_CASE("half of the suspects sit out, then the other half", "[suspicion]") {
  auto rng = testing::SeededRng(1, "suspicion");
  Suspicion suspicion;
  const std::vector<ClientId> all = Named("abcdefgh");
  REQUIRE(suspicion.WhoSitsOut(all, 2, rng).clients.empty());
  suspicion.Spoiled(Sum("abcdefgh", 1));
  const SittingOut first = suspicion.WhoSitsOut(all, 2, rng);
  REQUIRE(first.clients.size() == 4);
  REQUIRE(first.needed == 0);
  SpoiledSum second;
  for (const ClientId& client : all) {
    if (!first.clients.contains(client)) {
      second.survivors.push_back(client);
    }
  }
  suspicion.Spoiled(second);
  const SittingOut other = suspicion.WhoSitsOut(all, 2, rng);
  REQUIRE(other.clients.size() == 5);  // 4 halves and 4 quarters take part
  for (const ClientId& client : second.survivors) {
    REQUIRE(other.clients.contains(client));
  }
}

TEST_CASE("suspects take part when a round is not possible without them", "[suspicion]") {
  auto rng = testing::SeededRng(2, "suspicion");
  Suspicion suspicion;
  suspicion.Spoiled(Sum("abcdefgh", 1));
  const SittingOut out = suspicion.WhoSitsOut(Named("abcdefgh"), 7, rng);
  REQUIRE(out.clients.size() == 1);
  REQUIRE(out.needed == 3);
  REQUIRE(suspicion.WhoSitsOut(Named("abcd"), 7, rng).clients.empty());
}

// Binomial(4096, 1/16): mean 256, standard deviation 15.5; five of them.
TEST_CASE("who goes on spoiling comes back half as often each time", "[suspicion]") {
  auto rng = testing::SeededRng(3, "suspicion");
  Suspicion suspicion;
  for (std::uint8_t i = 0; i < 4; ++i) {
    suspicion.Spoiled(Sum("a", i));
  }
  int takes_part = 0;
  for (int i = 0; i < 4096; ++i) {
    takes_part += suspicion.WhoSitsOut(Named("abcd"), 2, rng).clients.empty() ? 1 : 0;
  }
  REQUIRE(takes_part > 256 - 78);
  REQUIRE(takes_part < 256 + 78);
}

TEST_CASE("suspects are dealt evenly to the groups, of each score as many", "[suspicion]") {
  auto rng = testing::SeededRng(4, "suspicion");
  Suspicion suspicion;
  suspicion.Spoiled(Sum("abcdefgh", 1));
  suspicion.Spoiled(Sum("abcd", 2));
  for (int i = 0; i < 50; ++i) {
    const auto split = SplitIntoGroups(Named("abcdefghijklmnop"), 4, suspicion, rng);
    for (const auto& group : split) {
      REQUIRE(group.size() == 4);
      REQUIRE(std::count_if(group.begin(), group.end(), [&](const ClientId& client) {
                return suspicion.ScoreOf(client) == 2;
              }) == 1);
      REQUIRE(std::count_if(group.begin(), group.end(), [&](const ClientId& client) {
                return suspicion.ScoreOf(client) == 1;
              }) == 1);
    }
  }
}

}  // namespace tutti::cohort

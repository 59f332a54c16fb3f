#include "server/cohort/cohort.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "common/base/text.h"
#include "tests/sim/test_identity.h"

#include "tests/catch.h"

namespace tutti::cohort {
namespace {

std::vector<ClientId> Clients(std::size_t count) {
  std::vector<ClientId> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(ClientId(Join("c", i)));
  }
  return clients;
}

}  // namespace

TEST_CASE("a cohort holds as many different available clients as were asked for", "[cohort]") {
  auto rng = testing::SeededRng(1, "cohort");
  const std::vector<ClientId> all = Clients(9);
  const std::vector<ClientId> chosen = ChooseCohort(all, {}, 4, rng);
  REQUIRE(chosen.size() == 4);
  REQUIRE(std::is_sorted(chosen.begin(), chosen.end()));
  REQUIRE(std::adjacent_find(chosen.begin(), chosen.end()) == chosen.end());
  for (const ClientId& client : chosen) {
    REQUIRE(std::find(all.begin(), all.end(), client) != all.end());
  }
}

TEST_CASE("everyone is chosen when fewer are there than asked for", "[cohort]") {
  auto rng = testing::SeededRng(2, "cohort");
  REQUIRE(ChooseCohort(Clients(3), {}, 10, rng).size() == 3);
  REQUIRE(ChooseCohort({}, {}, 10, rng).empty());
  REQUIRE(ChooseCohort(Clients(3), {}, 0, rng).empty());
}

TEST_CASE("a revoked client is never chosen", "[cohort]") {
  auto rng = testing::SeededRng(3, "cohort");
  for (int i = 0; i < 100; ++i) {
    for (const ClientId& client : ChooseCohort(Clients(4), {ClientId("c2")}, 3, rng)) {
      REQUIRE(client != ClientId("c2"));
    }
  }
}

// 6 sets of 2 out of 4, 12,000 draws: 2,000 each, standard deviation 41. Five of them, so a sound
// choice fails with probability below 6 * 6e-7; the seed is fixed anyway.
TEST_CASE("every set of clients is equally likely", "[cohort]") {
  auto rng = testing::SeededRng(4, "cohort");
  std::map<std::vector<ClientId>, int> seen;
  for (int i = 0; i < 12000; ++i) {
    ++seen[ChooseCohort(Clients(4), {}, 2, rng)];
  }
  REQUIRE(seen.size() == 6);
  for (const auto& [chosen, times] : seen) {
    REQUIRE(times > 2000 - 205);
    REQUIRE(times < 2000 + 205);
  }
}

TEST_CASE("a split deals every client to one of groups of nearly equal size", "[cohort]") {
  auto rng = testing::SeededRng(2, "split");
  const auto split = SplitIntoGroups(Clients(11), 3, {}, rng);
  REQUIRE(split.size() == 3);
  REQUIRE(split[0].size() == 4);
  REQUIRE(split[1].size() == 4);
  REQUIRE(split[2].size() == 3);
  std::set<ClientId> seen;
  for (const auto& group : split) {
    REQUIRE(std::is_sorted(group.begin(), group.end()));
    seen.insert(group.begin(), group.end());
  }
  REQUIRE(seen.size() == 11);
}

TEST_CASE("a client comes into each group equally often", "[cohort]") {
  auto rng = testing::SeededRng(3, "split");
  std::map<std::size_t, int> places;
  for (int i = 0; i < 3000; ++i) {
    const auto split = SplitIntoGroups(Clients(6), 3, {}, rng);
    for (std::size_t place = 0; place < split.size(); ++place) {
      const auto& group = split[place];
      places[place] += std::binary_search(group.begin(), group.end(), ClientId("c0")) ? 1 : 0;
    }
  }
  // Binomial(3000, 1/3): stddev 25.8; six of them are passed by chance in 2 of 10^9 runs.
  for (const auto& [place, times] : places) {
    REQUIRE(std::abs(times - 1000) < 155);
  }
}

}  // namespace tutti::cohort

#include "common/measure/client_spread.h"

#include <vector>

#include "tests/catch.h"

namespace tutti::measure {
namespace {

std::vector<Count> Bins(const std::vector<int>& clients, double noise = 0) {
  std::vector<Count> bins;
  for (const int count : clients) bins.push_back({static_cast<double>(count), noise});
  return bins;
}

TEST_CASE("the worst client and those around it, as far as bins tell", "[measure]") {
  const ClientSpread spread = SpreadOf(Bins({0, 1, 0, 4, 10, 4, 1, 0, 0, 0}));
  REQUIRE(spread.known);
  REQUIRE(spread.clients == 20);
  REQUIRE(spread.lowest.low == Approx(0.1));
  REQUIRE(spread.lowest.high == Approx(0.2));
  REQUIRE(spread.tenth.low == Approx(0.3));
  REQUIRE(spread.median.low == Approx(0.4));
  REQUIRE(spread.ninetieth.low == Approx(0.5));
  REQUIRE(spread.highest.high == Approx(0.7));
  // Centres 0.15, 0.35 x 4, 0.45 x 10, 0.55 x 4, 0.65: mean 0.445, computed by hand.
  REQUIRE(spread.mean == Approx(0.445));
  REQUIRE(spread.stddev == Approx(0.10235).margin(0.0001));
}

TEST_CASE("a single client is worst and best", "[measure]") {
  const ClientSpread spread = SpreadOf(Bins({0, 0, 1, 0}));
  REQUIRE(spread.lowest.low == spread.highest.low);
  REQUIRE(spread.stddev == 0);
}

TEST_CASE("noise that is as large as the clients are many hides them", "[measure]") {
  REQUIRE(!SpreadOf(Bins({1, -4, 9, 3}, 5)).known);
  REQUIRE(!SpreadOf(Bins({0, 0, 0, 0})).known);
  REQUIRE(SpreadOf(Bins({100, 300, 200, 10}, 5)).known);
}

}  // namespace
}  // namespace tutti::measure

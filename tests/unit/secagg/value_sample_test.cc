#include "common/secagg/value_sample.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tests/catch.h"

namespace tutti::secagg {
namespace {

ByteArray<32> Seed(std::uint8_t number) {
  ByteArray<32> seed{};
  seed[0] = number;
  seed[1] = 77;
  return seed;
}

TEST_CASE("a fraction gives a number of values that is never none", "[secagg]") {
  REQUIRE(SampledCount(1000, 0.25) == 250);
  REQUIRE(SampledCount(7, 0.5) == 4);
  REQUIRE(SampledCount(7, 0.001) == 1);
  REQUIRE(SampledCount(1000, 0.9999) == 1000);
  REQUIRE(SampledCount(0, 0.5) == 0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double all : {1.0, 0.0, -1.0, 2.0, nan, std::numeric_limits<double>::infinity()}) {
    REQUIRE(SampledCount(1000, all) == 1000);
  }
}

TEST_CASE("a sample has its size, is ascending and follows from the seed", "[secagg]") {
  for (const std::uint64_t count : {0U, 1U, 50U, 511U, 1999U, 2000U}) {
    const std::vector<std::uint32_t> places = SamplePlaces(2000, count, Seed(1));
    REQUIRE(places.size() == count);
    REQUIRE(std::is_sorted(places.begin(), places.end()));
    REQUIRE(std::set<std::uint32_t>(places.begin(), places.end()).size() == count);
    REQUIRE((places.empty() || places.back() < 2000));
    REQUIRE(places == SamplePlaces(2000, count, Seed(1)));
  }
  REQUIRE(SamplePlaces(2000, 50, Seed(1)) != SamplePlaces(2000, 50, Seed(2)));
}

// Of 4000 draws of 5 of 20 each place is in 1000 on average, standard deviation 27.4; 20 places are
// all within 5 of them but in one of 80,000 tries. Pairs: 210.5 on average, deviation 14.1; of 190
// pairs one is beyond 5.5 in one of 140,000 tries.
TEST_CASE("all places and all pairs are drawn equally often", "[secagg]") {
  std::vector<int> hits(20);
  std::vector<int> pairs(400);
  for (int draw = 0; draw < 4000; ++draw) {
    ByteArray<32> seed = Seed(3);
    seed[2] = static_cast<std::uint8_t>(draw);
    seed[3] = static_cast<std::uint8_t>(draw >> 8);
    const std::vector<std::uint32_t> places = SamplePlaces(20, 5, seed);
    for (const std::uint32_t a : places) {
      ++hits[a];
      for (const std::uint32_t b : places) pairs[a * 20 + b] += a < b ? 1 : 0;
    }
  }
  for (std::size_t a = 0; a < 20; ++a) {
    REQUIRE(std::abs(hits[a] - 1000) < 137);
    for (std::size_t b = a + 1; b < 20; ++b) REQUIRE(std::abs(pairs[a * 20 + b] - 210.5) < 78);
  }
}

TEST_CASE("what was taken lies where it was once it is spread", "[secagg]") {
  std::vector<float> vector(300);
  for (std::size_t i = 0; i < vector.size(); ++i) vector[i] = static_cast<float>(i) + 1;
  const std::vector<std::uint32_t> places = SamplePlaces(300, 40, Seed(4));
  const std::vector<float> spread = SpreadPlaces(TakePlaces(vector, places), places, 300);
  const std::set<std::uint32_t> drawn(places.begin(), places.end());
  for (std::uint32_t i = 0; i < 300; ++i) {
    REQUIRE(spread[i] == (drawn.count(i) > 0 ? vector[i] : 0.0F));
  }
}

}  // namespace
}  // namespace tutti::secagg

// The falsifier itself: right probabilities, and it finds what is wrong (integer_noise_test.cc
// shows the same for each sampler's likely faults).
#include "tests/unit/noise/falsify.h"

#include <cmath>

#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::noise {

TEST_CASE("chi-squared tails are those of tables", "[noise]") {
  // Critical values of the chi-squared distribution, e.g. NIST/SEMATECH e-Handbook section 1.3.6.7.
  REQUIRE(ChiSquaredTail(3.841, 1) == Approx(0.05).epsilon(1e-3));
  REQUIRE(ChiSquaredTail(10.828, 1) == Approx(0.001).epsilon(1e-3));
  REQUIRE(ChiSquaredTail(18.307, 10) == Approx(0.05).epsilon(1e-3));
  REQUIRE(ChiSquaredTail(124.342, 100) == Approx(0.05).epsilon(1e-3));
  REQUIRE(ChiSquaredTail(2 * 20.0, 2) == Approx(std::exp(-20.0)).epsilon(1e-10));
  REQUIRE(ChiSquaredTail(0, 5) == 1);
}

TEST_CASE("masses add up to one and have the known variances", "[noise]") {
  REQUIRE(VarianceOf(PoissonMasses(0.5)) == Approx(0.5).epsilon(1e-12));
  REQUIRE(VarianceOf(PoissonMasses(1000)) == Approx(1000).epsilon(1e-12));
  REQUIRE(VarianceOf(SkellamMasses(7)) == Approx(7).epsilon(1e-12));
  REQUIRE(VarianceOf(DiscreteGaussianMasses(3)) == Approx(9).epsilon(1e-12));
  const double q = std::exp(-0.3);  // two-sided geometric: 2 q / (1 - q)^2
  REQUIRE(VarianceOf(DiscreteLaplaceMasses(0.3)) ==
          Approx(2 * q / ((1 - q) * (1 - q))).epsilon(1e-12));
}

TEST_CASE("p-values of right draws are spread evenly and those of wrong ones are small",
          "[noise][statistical]") {
  // A fair die against a fair and a loaded one; 500 p-values of the first, in ten parts.
  TestRng rng(5);
  const Masses fair = Normalised(1, std::vector<long double>(6, 1));
  const Masses loaded = Normalised(1, {1, 1, 1, 1, 1, 1.2L});
  std::vector<std::int64_t> tenths;
  std::vector<std::int64_t> draws(6000);
  for (int i = 0; i < 500; ++i) {
    for (std::int64_t& draw : draws) {
      draw = 1 + static_cast<std::int64_t>(rng.Below(6));
    }
    tenths.push_back(static_cast<std::int64_t>(GTest(draws, fair) * 10));
  }
  REQUIRE(GTest(tenths, Normalised(0, std::vector<long double>(10, 1))) > kFalseAlarm);
  std::vector<std::int64_t> many(200'000);
  for (std::int64_t& draw : many) {
    draw = 1 + static_cast<std::int64_t>(rng.Below(6));
  }
  REQUIRE(GTest(many, fair) > kFalseAlarm);
  REQUIRE(GTest(many, loaded) < kFalseAlarm);
  many[17] = 7;
  REQUIRE(GTest(many, fair) == 0);
}

}  // namespace tutti::noise

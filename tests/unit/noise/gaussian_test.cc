#include "common/noise/gaussian.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::noise {
namespace {

TEST_CASE("draws have the moments and tails of a standard normal", "[gaussian][statistical]") {
  // Fixed stream; tolerances are five standard errors of n draws.
  SeededSecureRng bits(1);
  Gaussian gaussian(bits);
  constexpr int kDraws = 4'000'000;
  const double root = std::sqrt(static_cast<double>(kDraws));
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  int above3 = 0, above_tail = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = gaussian.Next();
    m1 += x;
    m2 += x * x;
    m3 += x * x * x;
    m4 += x * x * x * x;
    above3 += std::abs(x) > 3;
    above_tail += std::abs(x) > 3.7;  // beyond the ziggurat's base layer
  }
  REQUIRE(std::abs(m1 / kDraws) < 5 / root);
  REQUIRE(std::abs(m2 / kDraws - 1) < 5 * std::sqrt(2.0) / root);
  REQUIRE(std::abs(m3 / kDraws) < 5 * std::sqrt(15.0) / root);
  REQUIRE(std::abs(m4 / kDraws - 3) < 5 * std::sqrt(96.0) / root);
  for (const auto& [count, bound] : {std::pair{above3, 3.0}, std::pair{above_tail, 3.7}}) {
    const double expected = kDraws * std::erfc(bound / std::sqrt(2.0));
    REQUIRE(std::abs(count - expected) < 5 * std::sqrt(expected));
  }
}

TEST_CASE("draws follow the normal distribution function everywhere", "[gaussian][statistical]") {
  SeededSecureRng bits(2);
  Gaussian gaussian(bits);
  constexpr std::size_t kDraws = 1'000'000;
  std::vector<double> draws(kDraws);
  std::generate(draws.begin(), draws.end(), [&] { return gaussian.Next(); });
  std::sort(draws.begin(), draws.end());
  double distance = 0;
  for (std::size_t i = 0; i < kDraws; ++i) {
    const double below = 0.5 * std::erfc(-draws[i] / std::sqrt(2.0));
    distance = std::max({distance, std::abs(below - static_cast<double>(i) / kDraws),
                         std::abs(below - static_cast<double>(i + 1) / kDraws)});
  }
  REQUIRE(distance * std::sqrt(static_cast<double>(kDraws)) <
          2.2);  // Kolmogorov: chance 1.3e-4 to be larger
}

TEST_CASE("noise lies on the grid and the clip norm pays for the rounding", "[gaussian]") {
  const auto plan = PlanNoise(2.0, 0.5, 1'000'000);
  REQUIRE(plan.ok());
  REQUIRE(plan->noise.stddev == 1.0);
  REQUIRE(plan->noise.step == std::ldexp(1.0, -24));
  REQUIRE(plan->inner_clip == Approx(2.0 - 1000 * std::ldexp(1.0, -24)).epsilon(1e-12));
  SeededSecureRng bits(3);
  Gaussian gaussian(bits);
  std::vector<float> values(10'000, 0.1F);
  AddGridNoise(plan->noise, gaussian, values);
  double sum = 0;
  for (const float value : values) {
    const double steps = static_cast<double>(value) / plan->noise.step;
    REQUIRE(steps == std::nearbyint(steps));
    sum += static_cast<double>(value);
  }
  REQUIRE(std::abs(sum / 10'000 - 0.1) < 0.05);
}

TEST_CASE("every kernel of this processor gives the same draws and sums", "[gaussian]") {
  SeededSecureRng bits(5);
  LayerTable table;
  for (std::size_t i = 0; i < kGaussianLayers; ++i) {
    table.edge[i] = 3.7 - 0.01 * static_cast<double>(i);
    table.inner[i] = 0.9;
  }
  BlockWords words;
  bits.Fill({reinterpret_cast<std::uint8_t*>(words.data()), sizeof words});
  BlockDraws expected;
  BlockPlaces places;
  const std::size_t count = UsualDraws(words, table, expected, places, GaussianKernel::kPortable);
  REQUIRE(count > 50);
  REQUIRE(count < 200);
  std::vector<float> start(kGaussianBlock - 3);  // not a whole number of vectors
  for (std::size_t i = 0; i < start.size(); ++i) {
    start[i] = static_cast<float>(SignedUniform(words[i])) * 1e-3F;
  }
  std::vector<float> sums = start;
  REQUIRE(AddDraws(sums, expected.data(), 0x1p-26, GaussianKernel::kPortable));
  for (const auto kernel :
       {GaussianKernel::kBest, GaussianKernel::kAvx2, GaussianKernel::kAvx512}) {
    if (!KernelAvailable(kernel)) {
      continue;
    }
    BlockDraws draws;
    BlockPlaces outside;
    REQUIRE(UsualDraws(words, table, draws, outside, kernel) == count);
    REQUIRE(draws == expected);
    REQUIRE(std::equal(outside.begin(), outside.begin() + count, places.begin()));
    std::vector<float> values = start;
    REQUIRE(AddDraws(values, draws.data(), 0x1p-26, kernel));
    REQUIRE(values == sums);
    values = start;
    values[7] = 0x1p26F;  // 2^52 steps
    const std::vector<float> before = values;
    REQUIRE_FALSE(AddDraws(values, draws.data(), 0x1p-26, kernel));
    REQUIRE(values == before);
  }
}

TEST_CASE("no noise leaves the values alone", "[gaussian]") {
  const auto plan = PlanNoise(1.5, 0, 1'000'000);
  REQUIRE(plan.ok());
  REQUIRE(plan->inner_clip == 1.5);
  SeededSecureRng bits(4);
  Gaussian gaussian(bits);
  std::vector<float> values{0.1F, -3.0F};
  AddGridNoise(plan->noise, gaussian, values);
  REQUIRE(values == std::vector<float>{0.1F, -3.0F});
}

TEST_CASE("impossible noise is refused", "[gaussian]") {
  REQUIRE_FALSE(PlanNoise(0, 1, 10).ok());
  REQUIRE_FALSE(PlanNoise(1, -1, 10).ok());
  REQUIRE_FALSE(PlanNoise(1, std::nan(""), 10).ok());
  REQUIRE(PlanNoise(1, 1000, 1ULL << 40).status().code() == StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tutti::noise

// Each sampler against its exact masses, and each likely fault against the same test: fixed seeds,
// all looks together raise a false alarm in at most 1e-6 of seeds (falsify.h).
#include "common/noise/integer_noise.h"

#include <algorithm>
#include <cmath>

#include "common/noise/gaussian.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"
#include "tests/unit/noise/falsify.h"

namespace tutti::noise {
namespace {

constexpr std::size_t kDraws = 2'000'000;

template <typename Sampler>
std::vector<std::int64_t> Draws(double parameter, std::uint64_t seed, std::size_t count = kDraws) {
  SeededSecureRng rng(seed);
  StatusOr<Sampler> sampler = Sampler::Make(parameter, rng);
  REQUIRE(sampler.ok());
  std::vector<std::int64_t> draws(count);
  sampler->Fill(draws);
  return draws;
}

// The mistake this library exists to avoid.
std::vector<std::int64_t> RoundedNormals(double sigma, std::uint64_t seed) {
  SeededSecureRng rng(seed);
  Gaussian gaussian(rng);
  std::vector<std::int64_t> draws(kDraws);
  for (std::int64_t& draw : draws) {
    draw = std::llround(sigma * gaussian.Next());
  }
  return draws;
}

double NormalBelow(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// Sixty cells of a tenth of sigma, for parameters at which a discrete Gaussian or Skellam number is
// a rounded normal one to 1e-9.
double TestAsNormal(std::span<const std::int64_t> draws, double sigma) {
  constexpr std::size_t kCells = 60;
  std::vector<double> ends;  // cell i holds the whole numbers below ends[i]
  std::vector<double> probabilities;
  double below = 0;
  for (std::size_t i = 0; i + 1 < kCells; ++i) {
    ends.push_back(std::ceil((static_cast<double>(i) - 29) / 10 * sigma));
    const double up_to = NormalBelow((ends.back() - 0.5) / sigma);
    probabilities.push_back(up_to - below);
    below = up_to;
  }
  probabilities.push_back(1 - below);
  return GTestOfCells(
      draws,
      [&](std::int64_t draw) {
        return static_cast<std::size_t>(
            std::upper_bound(ends.begin(), ends.end(), static_cast<double>(draw)) - ends.begin());
      },
      probabilities);
}

double TestVariance(std::span<const std::int64_t> draws, const Masses& masses) {
  // Normal for so many draws; the fourth moment is the masses' own.
  const double variance = VarianceOf(masses);
  long double fourth = 0;
  for (std::size_t i = 0; i < masses.mass.size(); ++i) {
    const auto x = static_cast<long double>(masses.first + static_cast<std::int64_t>(i));
    fourth += x * x * x * x * masses.mass[i];
  }
  long double sum = 0;
  for (const std::int64_t draw : draws) {
    sum += static_cast<long double>(draw) * static_cast<long double>(draw);
  }
  const auto n = static_cast<double>(draws.size());
  const double error = std::sqrt((static_cast<double>(fourth) - variance * variance) / n);
  return std::erfc(std::abs(static_cast<double>(sum) / n - variance) / error / std::sqrt(2.0));
}

}  // namespace

TEST_CASE("discrete Gaussians have their masses, variance and independence",
          "[noise][statistical]") {
  std::uint64_t seed = 100;
  for (const double sigma : {0.3, 1.0, 2.0, 3.7, 20.0, 43.0, 128.0, 1024.0, 65536.0}) {
    const Masses masses = DiscreteGaussianMasses(sigma);
    const auto draws = Draws<DiscreteGaussian>(sigma, ++seed);
    INFO(sigma);
    REQUIRE(GTest(draws, masses, 500) > kFalseAlarm);
    REQUIRE(TestVariance(draws, masses) > kFalseAlarm);
    REQUIRE(IndependenceTest(draws, masses, 1) > kFalseAlarm);
    REQUIRE(IndependenceTest(draws, masses, 1024) > kFalseAlarm);
  }
}

TEST_CASE("discrete Gaussians of large sigma are normal, down to the last bits",
          "[noise][statistical]") {
  std::uint64_t seed = 200;
  const Masses sixty_four = Normalised(0, std::vector<long double>(64, 1));
  for (const double sigma : {4096.0, 65536.0, 1e6, 0x1p30}) {
    auto draws = Draws<DiscreteGaussian>(sigma, ++seed);
    INFO(sigma);
    REQUIRE(TestAsNormal(draws, sigma) > kFalseAlarm);
    REQUIRE(TestAsNormal(draws, sigma * 1.02) < kFalseAlarm);
    for (std::int64_t& draw : draws) {
      draw &= 63;
    }
    REQUIRE(GTest(draws, sixty_four) > kFalseAlarm);
  }
}

TEST_CASE("the tails of discrete Gaussians are as heavy as they should be",
          "[noise][statistical]") {
  // Beyond 3.7 sigma: about 3,000 of 16 million draws. A tail that ends there, or is 20 % too
  // light, is found.
  for (const double sigma : {2.0, 37.0}) {
    constexpr std::size_t kMany = 16'000'000;
    const auto draws = Draws<DiscreteGaussian>(sigma, 300, kMany);
    const Masses masses = DiscreteGaussianMasses(sigma);
    const double edge = 3.7 * sigma;
    long double tail = 0;
    for (std::size_t i = 0; i < masses.mass.size(); ++i) {
      const auto x = static_cast<double>(masses.first + static_cast<std::int64_t>(i));
      tail += std::abs(x) > edge ? masses.mass[i] : 0;
    }
    const auto expected = static_cast<double>(tail) * kMany;
    const auto seen =
        static_cast<double>(std::count_if(draws.begin(), draws.end(), [&](std::int64_t x) {
          return std::abs(static_cast<double>(x)) > edge;
        }));
    INFO(sigma << ": " << seen << " of " << expected);
    REQUIRE(expected > 500);
    const auto p_value = [&](double count) {
      return std::erfc(std::abs(count - expected) / std::sqrt(2 * expected));
    };
    REQUIRE(p_value(seen) > kFalseAlarm);
    REQUIRE(p_value(0.8 * expected) < kFalseAlarm);
  }
}

TEST_CASE("a Gaussian whose sigma is off, or that is rounded, is found", "[noise][statistical]") {
  std::uint64_t seed = 400;
  for (const double sigma : {1.0, 2.0, 128.0, 1024.0}) {
    const Masses masses = DiscreteGaussianMasses(sigma);
    INFO(sigma);
    REQUIRE(GTest(Draws<DiscreteGaussian>(sigma * 1.02, ++seed), masses, 500) < kFalseAlarm);
    REQUIRE(GTest(Draws<DiscreteGaussian>(sigma * 0.98, ++seed), masses, 500) < kFalseAlarm);
    REQUIRE(TestVariance(Draws<DiscreteGaussian>(sigma * 1.01, ++seed), masses) < kFalseAlarm);
  }
  for (const double sigma : {1.0, 2.0}) {
    REQUIRE(GTest(RoundedNormals(sigma, ++seed), DiscreteGaussianMasses(sigma)) < kFalseAlarm);
  }
  // Ten times finer: what is rounded is as good as discrete, and the test says so.
  REQUIRE(GTest(RoundedNormals(40.0, ++seed), DiscreteGaussianMasses(40.0), 500) > kFalseAlarm);
}

TEST_CASE("draws that hang together are found", "[noise][statistical]") {
  const Masses masses = DiscreteGaussianMasses(8);
  auto draws = Draws<DiscreteGaussian>(8, 500);
  for (std::size_t i = 1; i < draws.size(); i += 40) {
    draws[i] = draws[i - 1];  // one in forty
  }
  REQUIRE(GTest(draws, masses) > kFalseAlarm);  // not by the masses
  REQUIRE(IndependenceTest(draws, masses, 1) < kFalseAlarm);
}

TEST_CASE("Poisson differences have their masses, variance and independence",
          "[noise][statistical]") {
  std::uint64_t seed = 600;
  for (const double variance : {0.01, 0.5, 2.0, 8.0, 100.0, 2048.0}) {
    const Masses masses = SkellamMasses(variance);
    const auto draws = Draws<Skellam>(variance, ++seed);
    INFO(variance);
    REQUIRE(GTest(draws, masses, 500) > kFalseAlarm);
    REQUIRE(TestVariance(draws, masses) > kFalseAlarm);
    REQUIRE(IndependenceTest(draws, masses, 1) > kFalseAlarm);
    REQUIRE(GTest(Draws<Skellam>(variance * 1.06, ++seed), masses, 500) < kFalseAlarm);
  }
  // The same variance, another distribution.
  REQUIRE(GTest(Draws<DiscreteGaussian>(std::sqrt(8.0), ++seed), SkellamMasses(8)) < kFalseAlarm);
}

TEST_CASE("Poisson differences of large variance are normal", "[noise][statistical]") {
  std::uint64_t seed = 700;
  for (const double variance : {1e8, 1e10, 0x1p36}) {
    const auto draws = Draws<Skellam>(variance, ++seed);
    INFO(variance);
    REQUIRE(TestAsNormal(draws, std::sqrt(variance)) > kFalseAlarm);
    REQUIRE(TestAsNormal(draws, std::sqrt(variance) * 1.02) < kFalseAlarm);
  }
}

TEST_CASE("two-sided geometric numbers have their masses, variance and independence",
          "[noise][statistical]") {
  std::uint64_t seed = 800;
  for (const double decay : {3.0, 1.0, 0.2, 0.01, 0.0005}) {
    const Masses masses = DiscreteLaplaceMasses(decay);
    const auto draws = Draws<DiscreteLaplace>(decay, ++seed);
    INFO(decay);
    REQUIRE(GTest(draws, masses, 500) > kFalseAlarm);
    REQUIRE(TestVariance(draws, masses) > kFalseAlarm);
    REQUIRE(IndependenceTest(draws, masses, 1) > kFalseAlarm);
    REQUIRE(GTest(Draws<DiscreteLaplace>(decay * 1.02, ++seed), masses, 500) < kFalseAlarm);
  }
}

TEST_CASE("sums of shares are what the accountant takes them for", "[noise][statistical]") {
  // Eight discrete Gaussians of sigma 2 are one of sigma 2 sqrt 8 to 1e-14, and eight Skellam
  // numbers of variance 3 are one of variance 24. One share missing is found.
  constexpr std::size_t kSums = 1'000'000;
  std::vector<std::int64_t> gaussians(kSums);
  std::vector<std::int64_t> skellams(kSums);
  for (std::uint64_t share = 0; share < 8; ++share) {
    if (share == 7) {
      REQUIRE(GTest(gaussians, DiscreteGaussianMasses(2 * std::sqrt(8.0))) < kFalseAlarm);
      REQUIRE(GTest(skellams, SkellamMasses(24)) < kFalseAlarm);
    }
    SeededSecureRng rng(900 + share);
    auto gaussian = DiscreteGaussian::Make(2, rng);
    auto skellam = Skellam::Make(3, rng);
    REQUIRE((gaussian.ok() && skellam.ok()));
    gaussian->AddTo(gaussians);
    skellam->AddTo(skellams);
  }
  REQUIRE(GTest(gaussians, DiscreteGaussianMasses(2 * std::sqrt(8.0))) > kFalseAlarm);
  REQUIRE(GTest(skellams, SkellamMasses(24)) > kFalseAlarm);
}

TEST_CASE("the same key gives the same draws, another key others", "[noise]") {
  // What Fill cuts into pieces does not change what is drawn.
  REQUIRE(Draws<DiscreteGaussian>(5, 1, 3000) == Draws<DiscreteGaussian>(5, 1, 3000));
  REQUIRE(Draws<DiscreteGaussian>(5, 1, 3000) != Draws<DiscreteGaussian>(5, 2, 3000));
  REQUIRE(Draws<Skellam>(5, 1, 3000) == Draws<Skellam>(5, 1, 3000));
  REQUIRE(Draws<DiscreteLaplace>(0.5, 1, 3000) == Draws<DiscreteLaplace>(0.5, 1, 3000));
  const auto drawn = Draws<DiscreteGaussian>(5, 1, 3000);
  SeededSecureRng rng(1);
  auto sampler = DiscreteGaussian::Make(5, rng);
  std::vector<std::int64_t> added(3000, 1000);
  sampler->AddTo(added);
  for (std::size_t i = 0; i < added.size(); ++i) {
    REQUIRE(added[i] == drawn[i] + 1000);
  }
}

TEST_CASE("two samplers of one generator draw different numbers", "[noise]") {
  SeededSecureRng rng(3);
  auto one = DiscreteGaussian::Make(1000, rng);
  auto other = DiscreteGaussian::Make(1000, rng);
  std::vector<std::int64_t> first(100);
  std::vector<std::int64_t> second(100);
  one->Fill(first);
  other->Fill(second);
  REQUIRE(first != second);
}

TEST_CASE("parameters out of range are refused", "[noise]") {
  SeededSecureRng rng(1);
  for (const double bad : {0.0, -1.0, 0.01, 0x1p41, std::nan(""), HUGE_VAL}) {
    REQUIRE(DiscreteGaussian::Make(bad, rng).status().code() == StatusCode::kInvalidArgument);
  }
  for (const double bad : {0.0, -1.0, 0.001, 0x1p37, std::nan(""), HUGE_VAL}) {
    REQUIRE(Skellam::Make(bad, rng).status().code() == StatusCode::kInvalidArgument);
  }
  for (const double bad : {0.0, -1.0, 0x1p-31, 65.0, std::nan(""), HUGE_VAL}) {
    REQUIRE(DiscreteLaplace::Make(bad, rng).status().code() == StatusCode::kInvalidArgument);
  }
}

}  // namespace tutti::noise

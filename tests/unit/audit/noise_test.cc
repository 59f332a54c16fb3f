// The noise of each mechanism as a whole, from the settings to what is released: its variance
// (chi-squared) and its shape (Kolmogorov and Smirnov), with fixed seeds. Each of the 12 looks at
// right noise has a false-alarm rate of noise::kFalseAlarm = 1e-8. Noise that is 5 % too small is
// noticed by both.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/dp/normal.h"
#include "common/privacy/terms.h"
#include "tests/bench/audit/sum.h"
#include "tests/bench/audit/training.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"
#include "tests/unit/noise/falsify.h"

namespace tutti::audit {
namespace {

constexpr double kMultiplier = 1.5;
constexpr double kClipNorm = 0.5;
constexpr double kTooSmall = 0.95;
constexpr std::uint32_t kWidth = 50'000;  // inputs of the model; no example uses those after 8
constexpr int kReleases = 2;

// Of numbers that should be standard normal.
double VarianceTest(const std::vector<double>& values) {
  const double sum = std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
  const double above = noise::ChiSquaredTail(sum, static_cast<double>(values.size()));
  return 2 * std::min(above, 1 - above);
}

// The limit distribution of Kolmogorov 1933; more than 100,000 values.
double ShapeTest(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double gap = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double below = std::exp(dp::LogNormalCdf(values[i]));
    gap = std::max(
        {gap, below - static_cast<double>(i) / count, static_cast<double>(i + 1) / count - below});
  }
  double tail = 0;
  for (int k = 1; k < 100; ++k) {
    tail += (k % 2 == 1 ? 2 : -2) * std::exp(-2.0 * k * k * gap * gap * count);
  }
  return std::min(1.0, tail);
}

RoundToAttack Round(const std::string& unit, const std::string& noise,
                    const std::string& distribution, std::uint64_t values, const Claim& claim) {
  RoundSettings settings{.privacy = {},
                         .training = SpecsOf(claim).training,
                         .values = values,
                         .clients = 5,
                         .colluders = 1};
  settings.privacy.set_unit(unit);
  settings.privacy.set_noise(noise);
  settings.privacy.set_distribution(distribution);
  settings.privacy.set_clip_norm(kClipNorm);
  settings.privacy.set_noise_multiplier(kMultiplier);
  settings.privacy.set_delta(1e-5);
  if (unit == "example") settings.privacy.set_sampling_rate(claim.sampling_rate);
  auto round = RoundOf(settings);
  INFO(TextOf(round.status()));
  REQUIRE(round.ok());
  return *round;
}

// A logistic model most of whose weights no example moves.
Subject Empty() {
  v1::ModelSpec model;
  model.set_architecture("logistic");
  model.add_input_shape(kWidth);
  model.set_classes(2);
  return *SubjectOf(model, 0, 4);
}

// Those weights' updates in promised standard deviations.
std::vector<double> Untouched(const Claim& claim, const Release& release) {
  const Subject subject = Empty();
  const Present present{.subject = subject, .ids = {0, 1, 2, 3}};
  const double unit =
      claim.learning_rate * claim.clip_norm * claim.noise_multiplier / (claim.sampling_rate * 4);
  std::vector<double> values;
  for (int i = 0; i < kReleases; ++i) {
    std::vector<float> weights(2 * kWidth + 2);
    const Status status = release(present, 0, weights);
    INFO(TextOf(status));
    REQUIRE(status.ok());
    for (std::uint32_t k = 8; k < kWidth; ++k) {
      values.push_back(weights[k] / unit);
      values.push_back(weights[kWidth + k] / unit);
    }
  }
  return values;
}

Claim Promise() {
  return {.clip_norm = kClipNorm,
          .noise_multiplier = kMultiplier,
          .sampling_rate = 0.25,
          .learning_rate = 0.1,
          .steps = 1};
}

std::vector<double> Trained(double factor) {
  SeededSecureRng rng(21);
  StepSpecs specs = SpecsOf(Promise());
  specs.privacy.set_noise_multiplier(factor * kMultiplier);
  return Untouched(Promise(), [&](const Present& present, std::uint64_t, std::span<float> weights) {
    return TrainStep(present, specs, weights, rng);
  });
}

std::vector<double> TrainedInSum(const std::string& distribution, double factor) {
  SeededSecureRng rng(22);
  RoundToAttack round = Round("example", "distributed", distribution, 2 * kWidth + 2, Promise());
  round.noise_factor = factor;
  return Untouched(Promise(), [&](const Present& present, std::uint64_t, std::span<float> weights) {
    return TrainSummedStep(present, round, SpecsOf(Promise()), weights, rng);
  });
}

std::vector<double> OfClients(const std::string& noise, const std::string& distribution,
                              double factor) {
  SeededSecureRng rng(23);
  RoundToAttack round = Round("client", noise, distribution, 100'000, Promise());
  round.noise_factor = factor;
  std::vector<double> values;
  for (int i = 0; i < kReleases; ++i) {
    const auto opened = OpenedSum(round, {}, kClipNorm, rng);
    INFO(TextOf(opened.status()));
    REQUIRE(opened.ok());
    std::transform(opened->begin(), opened->end(), std::back_inserter(values),
                   [](float value) { return value / kMultiplier; });
  }
  return values;
}

template <typename Residuals>
void RequireAsPromised(const Residuals& residuals) {
  REQUIRE(VarianceTest(residuals(1)) > noise::kFalseAlarm);
  REQUIRE(ShapeTest(residuals(1)) > noise::kFalseAlarm);
  REQUIRE(VarianceTest(residuals(kTooSmall)) < noise::kFalseAlarm);
  REQUIRE(ShapeTest(residuals(kTooSmall)) < noise::kFalseAlarm);
}

TEST_CASE("the noise of a trained update is what was promised, and 5 % less is noticed",
          "[audit][statistical]") {
  RequireAsPromised(Trained);
}

TEST_CASE("the noise in a sum of clipped gradients is what was promised, and 5 % less is noticed",
          "[audit][statistical]") {
  for (const char* const distribution : {"discrete_gaussian", "skellam"}) {
    RequireAsPromised([&](double factor) { return TrainedInSum(distribution, factor); });
  }
}

TEST_CASE("the noise in a sum of clients' updates is what was promised, and 5 % less is noticed",
          "[audit][statistical]") {
  for (const char* const distribution : {"discrete_gaussian", "skellam"}) {
    RequireAsPromised(
        [&](double factor) { return OfClients("distributed", distribution, factor); });
  }
}

TEST_CASE("the noise of a client by itself is what was promised, and 5 % less is noticed",
          "[audit][statistical]") {
  RequireAsPromised([&](double factor) { return OfClients("local", "discrete_gaussian", factor); });
}

}  // namespace
}  // namespace tutti::audit

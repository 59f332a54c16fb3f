// What right guesses prove, against published numbers and against mechanisms whose epsilon is
// known.
#include "tests/bench/audit/bound.h"

#include <cmath>

#include "common/dp/gaussian.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::audit {
namespace {

double StandardNormal(TestRng& rng) {  // Box and Muller
  const double u = 1 - rng.Unit();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * rng.Unit());
}

// The randomised response of exactly `epsilon` of each coin, with a score that says how sure the
// attacker is.
std::vector<Outcome> RandomisedResponse(TestRng& rng, std::size_t canaries, double epsilon) {
  std::vector<Outcome> outcomes(canaries);
  for (Outcome& outcome : outcomes) {
    outcome.included = rng.Below(2) == 1;
    const bool told = rng.Unit() < 1 / (1 + std::exp(-epsilon));
    outcome.score = outcome.included == told ? 1 : -1;
    outcome.projection = outcome.score;
  }
  return outcomes;
}

std::vector<Outcome> GaussianMechanism(TestRng& rng, std::size_t canaries, double noise) {
  std::vector<Outcome> outcomes(canaries);
  for (Outcome& outcome : outcomes) {
    outcome.included = rng.Below(2) == 1;
    outcome.projection = (outcome.included ? 1 : 0) + noise * StandardNormal(rng);
    outcome.score = (outcome.projection - 0.5) / (noise * noise);
  }
  return outcomes;
}

TEST_CASE("lower bounds are those that were published", "[audit]") {
  // Steinke, Nasr, Jagielski 2023, appendix D and section 7; three digits are printed.
  REQUIRE(EpsilonLower({1000, 100, 75}, 1e-4, 0.05) == Approx(0.673).margin(1e-3));
  REQUIRE(EpsilonLower({100'000, 1510, 1439}, 1e-5, 0.05) == Approx(2.675).margin(1e-3));
}

TEST_CASE("with nothing but right guesses and no delta the bound has a closed form", "[audit]") {
  // (1 / (1 + e^-epsilon))^50 = 0.01
  const double expected = -std::log(std::pow(0.01, -1.0 / 50) - 1);
  REQUIRE(EpsilonLower({50, 50, 50}, 0, 0.01) == Approx(expected).epsilon(1e-5));
  REQUIRE(EpsilonLower({50, 50, 25}, 0, 0.01) == 0);
  REQUIRE(EpsilonLower({50, 0, 0}, 0, 0.01) == 0);
  // The failures that delta allows are subtracted: here they explain everything.
  REQUIRE(EpsilonLower({50, 50, 50}, 0.1, 0.01) == 0);
}

TEST_CASE("p-values grow with epsilon, with delta and with fewer right guesses", "[audit]") {
  for (double epsilon = 0; epsilon < 4; epsilon += 0.25) {
    REQUIRE(PValue({400, 100, 80}, epsilon, 1e-5) <= PValue({400, 100, 80}, epsilon + 0.25, 1e-5));
    REQUIRE(PValue({400, 100, 80}, epsilon, 1e-5) <= PValue({400, 100, 80}, epsilon, 1e-4));
    REQUIRE(PValue({400, 100, 80}, epsilon, 1e-5) <= PValue({400, 100, 79}, epsilon, 1e-5));
  }
}

TEST_CASE("randomised response is found out up to its epsilon and not beyond",
          "[audit][statistical]") {
  // 300 audits at failure 0.05: more than 36 false alarms have probability below 1e-6.
  TestRng rng(3);
  constexpr double kEpsilon = 1.5;
  int false_alarms = 0;
  double largest = 0;
  for (int i = 0; i < 300; ++i) {
    const double found = BestOneRun(RandomisedResponse(rng, 500, kEpsilon), 0, 0.05).epsilon;
    false_alarms += found > kEpsilon ? 1 : 0;
    largest = std::max(largest, found);
  }
  REQUIRE(false_alarms <= 36);
  REQUIRE(largest > 1.3);
}

TEST_CASE("the Gaussian fit is below the exact epsilon of a Gaussian and close to it",
          "[audit][statistical]") {
  // More than 20 false alarms of 100 have probability below 1e-6.
  TestRng rng(4);
  const double truth = dp::EpsilonOfGaussian(1.5, 1e-5);
  int false_alarms = 0;
  double sum = 0;
  for (int i = 0; i < 100; ++i) {
    const double found = GaussianEpsilon(GaussianMechanism(rng, 20'000, 1.5), 1e-5, 0.05);
    false_alarms += found > truth ? 1 : 0;
    sum += found;
  }
  REQUIRE(false_alarms <= 20);
  REQUIRE(sum / 100 > 0.9 * truth);
  REQUIRE(sum / 100 < truth);
}

TEST_CASE("scores that know nothing prove nothing", "[audit]") {
  // All scores are equal: what is guessed must not depend on the coins.
  TestRng rng(5);
  std::vector<Outcome> outcomes(2000);
  for (Outcome& outcome : outcomes) outcome.included = rng.Below(2) == 1;
  REQUIRE(BestOneRun(outcomes, 1e-5, 0.001).epsilon == 0);
  REQUIRE(GaussianEpsilon(outcomes, 1e-5, 0.001) == 0);
  REQUIRE(GaussianEpsilon({}, 1e-5, 0.001) == 0);
  REQUIRE(BestOneRun({}, 1e-5, 0.001).epsilon == 0);
}

}  // namespace
}  // namespace tutti::audit

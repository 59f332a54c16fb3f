#include "common/dp/pld.h"

#include <cmath>
#include <functional>
#include <vector>

#include "common/base/rng.h"
#include "common/dp/accountant.h"
#include "common/dp/gaussian.h"
#include "tests/catch.h"
#include "tests/unit/dp/vectors.h"

namespace tutti::dp {
namespace {

double Pld(const std::vector<Event>& events, double delta) {
  const StatusOr<PldBudget> spent = SpentEpsilonByPld(events, delta);
  REQUIRE(spent.ok());
  REQUIRE_FALSE(std::isnan(spent->epsilon));
  return spent->epsilon;
}

// The exact delta of one sampled Gaussian, from its two cut points; as design documents write it,
// not as the library computes it.
double ExactDelta(double q, double sigma, double epsilon, Direction direction) {
  const auto cdf = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  const auto cut = [&](double power) {
    return sigma * sigma * std::log((std::exp(power) - 1 + q) / q) + 0.5;
  };
  if (direction == Direction::kRemove) {
    if (epsilon <= std::log(1 - q)) return 1 - std::exp(epsilon);
    const double x = cut(epsilon);
    return q * cdf(-(x - 1) / sigma) + (1 - q - std::exp(epsilon)) * cdf(-x / sigma);
  }
  if (epsilon >= -std::log(1 - q)) return 0;
  const double x = cut(-epsilon);
  return cdf(x / sigma) - std::exp(epsilon) * ((1 - q) * cdf(x / sigma) + q * cdf((x - 1) / sigma));
}

// The same for two of them: the first one's loss is averaged over, by the trapezoidal rule.
double ExactDeltaOfTwo(double q, double sigma, double epsilon, Direction direction) {
  const bool remove = direction == Direction::kRemove;
  double sum = 0;
  const double step = sigma / 100;
  for (double x = -10 * sigma; x < 10 * sigma + 1; x += step) {
    const double plain = std::exp(-x * x / (2 * sigma * sigma));
    const double ratio = 1 - q + q * std::exp((x - 0.5) / (sigma * sigma));
    const double loss = remove ? std::log(ratio) : -std::log(ratio);
    sum += (remove ? plain * ratio : plain) * ExactDelta(q, sigma, epsilon - loss, direction);
  }
  return sum * step / (sigma * std::sqrt(2 * 3.14159265358979323846));
}

double Solve(const std::function<double(double)>& delta_at, double delta) {
  double low = 0;
  double high = 100;
  while (high - low > 1e-9) {
    const double middle = (low + high) / 2;
    (delta_at(middle) <= delta ? high : low) = middle;
  }
  return high;
}

double PldIn(Direction direction, const Event& event, double delta) {
  const std::vector<RepeatedLoss> losses = {{GridOf(event, direction, 1e-4), StepsOf(event)}};
  return EpsilonOfLosses(losses, 1e-4, delta);
}

TEST_CASE("one and two steps are never below the exact epsilon, and near it, both ways", "[dp]") {
  for (const double q : {0.01, 0.1, 0.5}) {
    for (const double sigma : {0.7, 1.0, 3.0}) {
      for (const Direction direction : {Direction::kRemove, Direction::kAdd}) {
        INFO("q " << q << " sigma " << sigma << " remove " << (direction == Direction::kRemove));
        const double one =
            Solve([&](double epsilon) { return ExactDelta(q, sigma, epsilon, direction); }, 1e-5);
        const double two = Solve(
            [&](double epsilon) { return ExactDeltaOfTwo(q, sigma, epsilon, direction); }, 1e-5);
        const double pld_one = PldIn(direction, SubsampledGaussian{q, sigma, 1}, 1e-5);
        const double pld_two = PldIn(direction, SubsampledGaussian{q, sigma, 2}, 1e-5);
        REQUIRE(pld_one >= one - 2e-9);
        REQUIRE(pld_one <= one + 1e-5);
        REQUIRE(pld_two >= two - 1e-6);  // the rule's own error
        REQUIRE(pld_two <= two + 1e-5);
      }
    }
  }
}

TEST_CASE("both neighbouring directions count, and which is larger depends", "[dp]") {
  const SubsampledGaussian few{0.1, 1, 10};
  REQUIRE(PldIn(Direction::kRemove, few, 1e-5) > PldIn(Direction::kAdd, few, 1e-5) + 0.1);
  const SubsampledLaplace some{0.5, 10, 10};
  REQUIRE(PldIn(Direction::kAdd, some, 1e-3) > PldIn(Direction::kRemove, some, 1e-3) + 0.004);
  REQUIRE(Pld({few}, 1e-5) == PldIn(Direction::kRemove, few, 1e-5));
  REQUIRE(Pld({some}, 1e-3) == PldIn(Direction::kAdd, some, 1e-3));
}

// The losses of `a` and `b` together, without transforms. Losses above `most` points become
// infinite, those below minus `most` too small to matter.
LossGrid Together(const LossGrid& a, const LossGrid& b, std::int64_t most) {
  LossGrid sum{-most, std::vector<double>(static_cast<std::size_t>(2 * most) + 1), 0};
  sum.infinite = a.infinite + b.infinite - a.infinite * b.infinite;
  for (std::size_t i = 0; i < a.masses.size(); ++i) {
    if (a.masses[i] == 0) continue;
    const std::int64_t first = a.first + static_cast<std::int64_t>(i) + b.first + most;
    for (std::size_t k = 0; k < b.masses.size(); ++k) {
      const std::int64_t place = first + static_cast<std::int64_t>(k);
      const double mass = a.masses[i] * b.masses[k];
      if (place > 2 * most) sum.infinite += mass;
      if (place >= 0 && place <= 2 * most) sum.masses[static_cast<std::size_t>(place)] += mass;
    }
  }
  return sum;
}

TEST_CASE("where rare large losses decide the sum is what adding step by step gives", "[dp]") {
  constexpr double kInterval = 4e-3;
  for (const Direction direction : {Direction::kRemove, Direction::kAdd}) {
    const LossGrid one = GridOf(SubsampledGaussian{0.01, 0.5, 1}, direction, kInterval);
    LossGrid sum = one;
    for (int doubling = 0; doubling < 6; ++doubling) sum = Together(sum, sum, 5500);
    const std::vector<RepeatedLoss> added = {{sum, 1}};
    const std::vector<RepeatedLoss> repeated = {{one, 64}};
    for (const double delta : {1e-3, 1e-5, 1e-7}) {
      INFO("remove " << (direction == Direction::kRemove) << " delta " << delta);
      const double exact = EpsilonOfLosses(added, kInterval, delta);
      const double epsilon = EpsilonOfLosses(repeated, kInterval, delta);
      REQUIRE(epsilon >= exact * (1 - 1e-9));
      REQUIRE(epsilon <= exact * (1 + 1e-6));
    }
  }
}

TEST_CASE("a release's grid keeps the masses under both neighbours, in both directions", "[dp]") {
  const std::vector<Event> events = {SubsampledGaussian{0.01, 0.7, 1},
                                     SubsampledGaussian{0.9, 0.3, 1}, SubsampledGaussian{1, 2, 1},
                                     SubsampledLaplace{0.1, 0.5, 1}, SubsampledLaplace{1, 1, 1}};
  for (const Event& event : events) {
    const LossGridPair grids = GridsOf(event, 1e-3);
    REQUIRE(grids.add.first ==
            (IsSymmetric(event)
                 ? grids.remove.first
                 : 1 - grids.remove.first - static_cast<std::int64_t>(grids.remove.masses.size())));
    for (const LossGrid& grid : {grids.remove, grids.add}) {
      double here = grid.infinite;
      double other = 0;
      for (std::size_t i = 0; i < grid.masses.size(); ++i) {
        REQUIRE(grid.masses[i] >= 0);
        here += grid.masses[i];
        const auto point = static_cast<double>(grid.first + static_cast<std::int64_t>(i));
        other += grid.masses[i] * std::exp(-1e-3 * point);
      }
      REQUIRE(here == Approx(1).epsilon(1e-12));
      REQUIRE(other == Approx(1).epsilon(1e-9));
    }
  }
}

TEST_CASE("without sampling both directions are the same, and just above the exact value", "[dp]") {
  for (const double sigma : {1.0, 5.0, 50.0}) {
    for (const double delta : {1e-3, 1e-6, 1e-12}) {
      const double exact = EpsilonOfGaussian(sigma / std::sqrt(30), delta);
      const double epsilon = Pld({SubsampledGaussian{1, sigma, 30}}, delta);
      REQUIRE(epsilon >= exact);
      REQUIRE(epsilon <= exact * 1.00001 + 1e-5);
      // Convolved instead of merged: the transform's own accuracy.
      const double summed = PldIn(Direction::kRemove, SubsampledGaussian{1, sigma, 30}, delta);
      REQUIRE(summed >= exact);
      REQUIRE(summed <= exact * 1.0001 + 1e-4);
    }
  }
}

TEST_CASE("more steps, less noise, more sampling, smaller delta never lower epsilon", "[dp]") {
  TestRng rng(21);
  for (int world = 0; world < 8; ++world) {
    const double q = 0.002 + 0.3 * rng.Unit();
    const double sigma = 0.6 + 2 * rng.Unit();
    const std::uint64_t steps = 1 + rng.Below(400);
    const auto epsilon = [](double rate, double noise, std::uint64_t count, double delta) {
      const std::vector<RepeatedLoss> losses = {
          {GridOf(SubsampledGaussian{rate, noise, 1}, Direction::kRemove, 1e-3), count}};
      return EpsilonOfLosses(losses, 1e-3, delta);
    };
    INFO("q " << q << " sigma " << sigma << " steps " << steps);
    const double base = epsilon(q, sigma, steps, 1e-5);
    const double slack = 1e-8 * base;
    REQUIRE(epsilon(q, sigma, steps + 1 + rng.Below(20), 1e-5) >= base - slack);
    REQUIRE(epsilon(q, sigma * 0.97, steps, 1e-5) >= base - slack);
    REQUIRE(epsilon(q * 1.03, sigma, steps, 1e-5) >= base - slack);
    REQUIRE(epsilon(q, sigma, steps, 1e-6) >= base - slack);
  }
}

TEST_CASE("loss distributions never cost more than Renyi curves", "[dp]") {
  TestRng rng(22);
  for (int world = 0; world < 6; ++world) {
    std::vector<Event> events;
    for (int i = 0; i < 2; ++i) {
      events.push_back(
          SubsampledGaussian{0.001 + 0.2 * rng.Unit(), 0.5 + 3 * rng.Unit(), rng.Below(300)});
    }
    events.push_back(SubsampledLaplace{0.01 + 0.5 * rng.Unit(), 1 + 9 * rng.Unit(), rng.Below(20)});
    events.push_back(DiscreteGaussian{1 + 9 * rng.Unit(), 1, 1, rng.Below(10)});
    REQUIRE(Pld(events, 1e-5) <= SpentEpsilon(events, 1e-5)->epsilon * (1 + 1e-12));
  }
}

TEST_CASE("mechanisms without a loss distribution enter by their Renyi curve", "[dp]") {
  const Skellam skellam{400, 10, 10, 1, 5};
  const DistributedDiscreteGaussian shares{4, 10, 20, 10, 100, 1, 5};
  const SubsampledGaussian gaussian{0.01, 1, 500};
  const double alone = Pld({gaussian}, 1e-5);
  for (const Event& other : {Event(skellam), Event(shares)}) {
    const double renyi = SpentEpsilon(std::vector<Event>{other}, 1e-5)->epsilon;
    REQUIRE(Pld({other}, 1e-5) <= renyi);
    REQUIRE(Pld({other}, 1e-5) > 0.9 * renyi);
    const double both = Pld({gaussian, other}, 1e-5);
    REQUIRE(both > std::max(alone, Pld({other}, 1e-5)));
    REQUIRE(both <= SpentEpsilon(std::vector<Event>{gaussian, other}, 1e-5)->epsilon);
  }
}

TEST_CASE("a profile from a Renyi curve is at least the true epsilon", "[dp]") {
  // The Gaussian's own, treated as if nothing else were known of it; below 0 by its symmetry.
  const auto delta_at = [](double epsilon) {
    if (epsilon >= 0) return DeltaOfGaussian(1.5, epsilon);
    return 1 - std::exp(epsilon) * (1 - DeltaOfGaussian(1.5, -epsilon));
  };
  const LossGrid grid = GridOfProfile(delta_at, -3, 12, 1e-3);
  double total = grid.infinite;
  for (const double mass : grid.masses) {
    REQUIRE(mass >= 0);
    total += mass;
  }
  REQUIRE(total == Approx(1).epsilon(1e-9));
  const std::vector<RepeatedLoss> once = {{grid, 1}};
  const std::vector<RepeatedLoss> often = {{grid, 9}};
  REQUIRE(EpsilonOfLosses(once, 1e-3, 1e-5) >= EpsilonOfGaussian(1.5, 1e-5));
  REQUIRE(EpsilonOfLosses(once, 1e-3, 1e-5) <= EpsilonOfGaussian(1.5, 1e-5) + 1e-3);
  REQUIRE(EpsilonOfLosses(often, 1e-3, 1e-5) >= EpsilonOfGaussian(0.5, 1e-5));
}

TEST_CASE("nothing spent is 0, unknown or noiseless is infinite, also beside others", "[dp]") {
  REQUIRE(Pld({}, 1e-5) == 0);
  REQUIRE(Pld({SubsampledGaussian{0.1, 1, 0}, UnknownRelease{"", 0}}, 1e-5) == 0);
  REQUIRE(std::isinf(Pld({SubsampledGaussian{0.1, 1, 10}, UnknownRelease{}}, 1e-5)));
  REQUIRE(std::isinf(Pld({SubsampledGaussian{0.1, 1, 10}, UnknownRelease{}}, 1e-5)));
  REQUIRE(std::isinf(Pld({SubsampledLaplace{0.1, 0, 1}}, 1e-5)));
}

TEST_CASE("extreme histories give numbers that are never below what is known", "[dp]") {
  for (const double delta : {1e-5, 1e-12}) {
    if (delta > 1e-6 && testing::Stride() > 1) continue;
    for (const double q : {1e-6, 0.01, 1.0}) {
      for (const double sigma : {1e-3, 0.05, 1.0, 1e6}) {
        const double once = Pld({SubsampledGaussian{q, sigma, 1}}, delta);
        for (const std::uint64_t steps : {std::uint64_t{1}, std::uint64_t{1000000}}) {
          INFO("q " << q << " sigma " << sigma << " steps " << steps << " delta " << delta);
          const double epsilon = Pld({SubsampledGaussian{q, sigma, steps}}, delta);
          REQUIRE(epsilon >= once * (1 - 1e-9));
          REQUIRE(epsilon <=
                  SpentEpsilon(std::vector<Event>{SubsampledGaussian{q, sigma, steps}}, delta)
                      ->epsilon);
          if (q < 1) continue;
          const double exact =
              EpsilonOfGaussian(sigma / std::sqrt(static_cast<double>(steps)), delta);
          REQUIRE(epsilon >= exact * (1 - 1e-9));
        }
      }
    }
  }
  REQUIRE(Pld({SubsampledGaussian{0.5, 0.5, 1000000}}, 1e-9) > 1e5);
}

TEST_CASE("wrong questions are refused by name", "[dp]") {
  const std::vector<Event> events = {SubsampledGaussian{0.1, 1, 10}};
  REQUIRE(TextOf(SpentEpsilonByPld(events, 0).status()).find("delta is 0") != std::string::npos);
  REQUIRE(SpentEpsilonByPld(events, 1e-5, -1).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(SpentEpsilonByPld(events, 1e-5, NAN).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(SpentEpsilonByPld(events, 1e-5, 1e-8).status().code() == StatusCode::kOutOfRange);
  const std::vector<Event> bad = {SubsampledGaussian{2, 1, 10}};
  REQUIRE(TextOf(SpentEpsilonByPld(bad, 1e-5).status()).find("sampling rate 2") !=
          std::string::npos);
}

}  // namespace
}  // namespace tutti::dp

#include "tests/bench/audit/bound.h"

#include <algorithm>
#include <cmath>

#include "common/dp/gaussian.h"
#include "common/dp/normal.h"

namespace tutti::audit {
namespace {

constexpr std::uint64_t kFewestGuesses = 8;

// Of k successes in n trials of probability 1 / (1 + e^-epsilon).
double LogBinomial(double k, double n, double epsilon) {
  const double fail = -epsilon - std::log1p(std::exp(-epsilon));
  const double success = -std::log1p(std::exp(-epsilon));
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * success +
         (n - k) * fail;
}

struct Fit {
  double count = 0;
  double mean = 0;
  double variance = 0;
};

Fit FitOf(std::span<const Outcome> outcomes, bool included) {
  Fit fit;
  for (const Outcome& outcome : outcomes) {
    if (outcome.included != included) continue;
    fit.count += 1;
    const double off = outcome.projection - fit.mean;  // Welford's recurrence
    fit.mean += off / fit.count;
    fit.variance += off * (outcome.projection - fit.mean);
  }
  fit.variance /= std::max(fit.count - 1, 1.0);
  return fit;
}

// The z that a standard normal number passes with probability `tail` in (0, 1/2].
double NormalQuantile(double tail) {
  double low = 0;
  double high = 40;
  while (high - low > 1e-12) {
    const double middle = (low + high) / 2;
    (dp::NormalTail(middle) > tail ? low : high) = middle;
  }
  return high;
}

Guesses Play(const std::vector<Outcome>& falling, std::uint64_t in, std::uint64_t out) {
  Guesses attack{.canaries = falling.size(), .guesses = in + out};
  for (std::uint64_t i = 0; i < in; ++i) {
    attack.correct += falling[i].included ? 1U : 0U;
  }
  for (std::uint64_t i = 0; i < out; ++i) {
    attack.correct += falling[falling.size() - 1 - i].included ? 0U : 1U;
  }
  return attack;
}

}  // namespace

double PValue(const Guesses& attack, double epsilon, double delta) {
  const auto n = static_cast<double>(attack.guesses);
  double reached = 0;
  for (std::uint64_t k = attack.correct; k <= attack.guesses; ++k) {
    reached += std::exp(LogBinomial(static_cast<double>(k), n, epsilon));
  }
  // Each canary that fails delta's way may add a right guess; the worst plan adds i at once to runs
  // that miss by up to i.
  double missed = 0;
  double slope = 0;
  for (std::uint64_t i = 1; i <= attack.correct; ++i) {
    missed += std::exp(LogBinomial(static_cast<double>(attack.correct - i), n, epsilon));
    slope = std::max(slope, missed / static_cast<double>(i));
  }
  return std::min(1.0, reached + 2 * static_cast<double>(attack.canaries) * delta * slope);
}

double EpsilonLower(const Guesses& attack, double delta, double failure) {
  if (attack.guesses == 0 || PValue(attack, 0, delta) >= failure) {
    return 0;
  }
  double low = 0;
  double high = 1;
  while (PValue(attack, high, delta) < failure) {
    low = high;
    high *= 2;
  }
  while (high - low > 1e-6) {
    const double middle = (low + high) / 2;
    (PValue(attack, middle, delta) < failure ? low : high) = middle;
  }
  return low;
}

OneRunBound BestOneRun(std::span<const Outcome> outcomes, double delta, double failure) {
  std::vector<Outcome> falling(outcomes.begin(), outcomes.end());
  // By score alone: the order of canaries with the same score must not depend on their coins.
  std::stable_sort(falling.begin(), falling.end(),
                   [](const Outcome& a, const Outcome& b) { return a.score > b.score; });
  std::vector<Guesses> attacks;
  for (std::uint64_t half = falling.size() / 2; half >= kFewestGuesses; half /= 2) {
    attacks.push_back(Play(falling, half, half));
    attacks.push_back(Play(falling, half, 0));
  }
  OneRunBound best{.attack = {.canaries = falling.size()}};
  for (const Guesses& attack : attacks) {
    const double epsilon =
        EpsilonLower(attack, delta, failure / static_cast<double>(attacks.size()));
    if (epsilon > best.epsilon || best.attack.guesses == 0) {
      best = {.epsilon = epsilon, .attack = attack};
    }
  }
  return best;
}

double GaussianEpsilon(std::span<const Outcome> outcomes, double delta, double failure) {
  const Fit in = FitOf(outcomes, true);
  const Fit out = FitOf(outcomes, false);
  if (in.count < 2 || out.count < 2) {
    return 0;
  }
  const Fit& wider = in.variance > out.variance ? in : out;
  if (wider.variance <= 0) {
    return in.mean > out.mean ? kMostEpsilon : 0;
  }
  const double distance = (in.mean - out.mean) / std::sqrt(wider.variance);
  const double error =
      std::sqrt((in.variance / in.count + out.variance / out.count) / wider.variance +
                distance * distance / (2 * wider.count));
  const double certain = distance - NormalQuantile(failure) * error;
  return certain > 0 ? std::min(dp::EpsilonOfGaussian(1 / certain, delta), kMostEpsilon) : 0;
}

}  // namespace tutti::audit

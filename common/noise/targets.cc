#include "common/noise/targets.h"

#include <cmath>
#include <numbers>

namespace tutti::noise {
namespace {

constexpr double kCutSigmas = 12.5;
constexpr double kCutExponent = 78;  // e^-78 < 2^-112
constexpr double kCutDeviance = 77;  // e^-77 < 2^-111, for each of two sides of two numbers

// x log(x / mean) + mean - x, which is what Chernoff's bound for a Poisson number has in the
// exponent: P(X >= x) <= e^-deviance above the mean, P(X <= x) below it. x > 0.
double Deviance(double x, double mean) {
  const double v = (x - mean) / (x + mean);
  if (std::abs(v) > 0.5) {
    return x * std::log(x / mean) + mean - x;
  }
  // log(x / mean) = 2 (v + v^3/3 + v^5/5 + ...), its first term taken out.
  double sum = (x - mean) * v;
  double power = 2 * x * v;
  for (int i = 3;; i += 2) {
    power *= v * v;
    const double next = sum + power / i;
    if (next == sum) {
      return sum;
    }
    sum = next;
  }
}

// log(x!) - (x + 1/2) log x + x - log(2 pi) / 2, x >= 1.
double StirlingRest(std::int64_t x) {
  const auto n = static_cast<double>(x);
  if (x < 16) {
    double factorial = 1;
    for (std::int64_t i = 2; i <= x; ++i) {
      factorial *= static_cast<double>(i);
    }
    return std::log(factorial) - (n + 0.5) * std::log(n) + n - 0.5 * std::log(2 * std::numbers::pi);
  }
  const double s = 1 / (n * n);  // the first term left out, 691/360360 n^-11, is below 2^-53
  return (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s / 1188)))) / n;
}

// The number nearest to the mean, beyond it on one side, with Deviance >= kCutDeviance.
std::int64_t CutAbove(double mean, std::int64_t mode) {
  std::int64_t inside = mode;
  std::int64_t outside = mode + 1;
  while (Deviance(static_cast<double>(outside), mean) < kCutDeviance) {
    inside = outside;
    outside = mode + 2 * (outside - mode);
  }
  while (outside - inside > 1) {
    const std::int64_t middle = inside + (outside - inside) / 2;
    (Deviance(static_cast<double>(middle), mean) < kCutDeviance ? inside : outside) = middle;
  }
  return outside;
}

std::int64_t CutBelow(double mean, std::int64_t mode) {
  std::int64_t outside = 0;
  std::int64_t inside = mode;
  while (inside - outside > 1) {
    const std::int64_t middle = outside + (inside - outside) / 2;
    (Deviance(static_cast<double>(middle), mean) < kCutDeviance ? inside : outside) = middle;
  }
  return outside;
}

}  // namespace

Target::Support GaussianTarget::support() const {
  const auto reach = static_cast<std::int64_t>(std::ceil(kCutSigmas * sigma_));
  return {.first = -reach, .last = reach, .mode = 0};
}

double GaussianTarget::LogRatio(std::int64_t x) const {
  const double z = static_cast<double>(x) / sigma_;
  return -0.5 * z * z;
}

Bounds GaussianTarget::DivideByRatio(const Bounds& number, std::int64_t x) const {
  if (x == 0) {
    return number;
  }
  const auto distance = static_cast<std::uint64_t>(std::abs(x));
  const auto [mantissa, exponent] = ToDyadic(sigma_);
  return TimesExp(number, {.factors = {distance, distance},
                           .divisors = {mantissa, mantissa},
                           .power_of_two = -2 * exponent - 1});
}

Target::Support LaplaceTarget::support() const {
  const auto reach = static_cast<std::int64_t>(std::ceil(kCutExponent / decay_));
  return {.first = -reach, .last = reach, .mode = 0};
}

double LaplaceTarget::LogRatio(std::int64_t x) const {
  return -decay_ * static_cast<double>(std::abs(x));
}

Bounds LaplaceTarget::DivideByRatio(const Bounds& number, std::int64_t x) const {
  if (x == 0) {
    return number;
  }
  const auto [mantissa, exponent] = ToDyadic(decay_);
  return TimesExp(number, {.factors = {static_cast<std::uint64_t>(std::abs(x)), mantissa},
                           .divisors = {1, 1},
                           .power_of_two = exponent});
}

PoissonTarget::PoissonTarget(double mean) : mean_(mean) {
  support_.mode = static_cast<std::int64_t>(std::floor(mean));
  support_.first = support_.mode == 0 ? 0 : CutBelow(mean, support_.mode);
  support_.last = CutAbove(mean, support_.mode);
  log_mass_at_mode_ = LogMass(support_.mode);
}

double PoissonTarget::LogMass(std::int64_t x) const {
  if (x == 0) {
    return -mean_;
  }
  const auto n = static_cast<double>(x);
  return -StirlingRest(x) - Deviance(n, mean_) - 0.5 * std::log(2 * std::numbers::pi * n);
}

// Above the mode T(x) is a product of mean / j, below it of j / mean, j between the two.
Bounds PoissonTarget::DivideByRatio(const Bounds& number, std::int64_t x) const {
  const auto [mantissa, exponent] = ToDyadic(mean_);
  Bounds quotient = number;
  for (std::int64_t j = support_.mode + 1; j <= x; ++j) {
    quotient.Multiply(static_cast<std::uint64_t>(j));
    quotient.MultiplyByPowerOfTwo(-exponent);
    quotient.Divide(mantissa);
  }
  for (std::int64_t j = support_.mode; j > x; --j) {
    quotient.Multiply(mantissa);
    quotient.MultiplyByPowerOfTwo(exponent);
    quotient.Divide(static_cast<std::uint64_t>(j));
  }
  return quotient;
}

}  // namespace tutti::noise

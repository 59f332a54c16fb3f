#include "common/measure/estimate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tutti::measure {

double Estimate::stddev() const { return std::hypot(sampling_stddev, noise_stddev); }

Count operator+(Count a, Count b) {
  return {a.value + b.value, std::hypot(a.noise_stddev, b.noise_stddev)};
}

namespace {

// part / all but for its noise.
Estimate Sampled(double part, Count all) {
  constexpr double kNoisesAbove = 4;
  constexpr double z = kTwoSided95;
  const double n = all.value;
  if (!(n >= 1) || n < kNoisesAbove * all.noise_stddev) return {};
  const double p = std::clamp(part / n, 0.0, 1.0);
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double wider = std::max(centre + half - p, p - (centre - half));
  return {.value = p, .sampling_stddev = wider / z, .noise_stddev = 0};
}

}  // namespace

Estimate ShareOf(Count part, Count rest) {
  const Count all = part + rest;
  Estimate share = Sampled(part.value, all);
  const double p = share.value;
  if (share.known()) {
    share.noise_stddev = std::hypot((1 - p) * part.noise_stddev, p * rest.noise_stddev) / all.value;
  }
  return share;
}

Estimate ShareOfAll(Count part, Count all) {
  Estimate share = Sampled(part.value, all);
  if (share.known()) {
    share.noise_stddev = std::hypot(part.noise_stddev, share.value * all.noise_stddev) / all.value;
  }
  return share;
}

Estimate Difference(const Estimate& a, const Estimate& b) {
  if (!a.known() || !b.known()) return {};
  return {.value = a.value - b.value,
          .sampling_stddev = std::hypot(a.sampling_stddev, b.sampling_stddev),
          .noise_stddev = std::hypot(a.noise_stddev, b.noise_stddev)};
}

double TwoSidedQuantile(double probability) {
  double low = 0;
  double high = 40;
  while (high - low > 1e-10) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::numbers::sqrt2) > probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace tutti::measure

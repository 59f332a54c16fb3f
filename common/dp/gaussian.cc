#include "common/dp/gaussian.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/status.h"
#include "common/dp/normal.h"

namespace tutti::dp {

double DeltaOfGaussian(double noise_multiplier, double epsilon) {
  TUTTI_CHECK(noise_multiplier > 0 && epsilon >= 0);
  const double half = 0.5 / noise_multiplier;
  const double shift = epsilon * noise_multiplier;
  const double log_first = LogNormalCdf(half - shift);
  // From here on the second term is below 1e-3 of the first and has no digits left: drop it, which
  // only raises the result.
  if (half > 1e4) return std::exp(log_first);
  // Both terms share the factor phi(half - shift); their ratio is taken before they are subtracted.
  const double log_ratio = epsilon + LogNormalCdf(-half - shift) - log_first;
  return std::exp(log_first) * -std::expm1(std::min(log_ratio, 0.0));
}

double EpsilonOfGaussian(double noise_multiplier, double delta) {
  TUTTI_CHECK(noise_multiplier >= 0 && delta > 0 && delta < 1);
  if (!(noise_multiplier > 1e-150)) return std::numeric_limits<double>::infinity();
  // A hair below the target pays for what floating point may have lost.
  const double target = delta * (1 - 1e-10);
  const auto fits = [&](double epsilon) {
    return DeltaOfGaussian(noise_multiplier, epsilon) <= target;
  };
  if (fits(0)) return 0;
  double low = 0;
  double high = 1;
  while (!fits(high)) {
    low = high;
    high *= 2;
  }
  for (int i = 0; i < 200 && high - low > 1e-13 * high; ++i) {
    const double middle = low + (high - low) / 2;
    (fits(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace tutti::dp

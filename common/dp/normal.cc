#include "common/dp/normal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace tutti::dp {

double LogAdd(double a, double b) {
  const double high = std::max(a, b);
  if (high == -std::numeric_limits<double>::infinity()) return high;
  return high + std::log1p(std::exp(std::min(a, b) - high));
}

double LogNormalCdf(double x) {
  const double z = -x / std::numbers::sqrt2;
  if (z < -1) return std::log1p(-0.5 * std::erfc(-z));
  if (z < 20) return std::log(0.5 * std::erfc(z));
  // Asymptotic expansion of erfc; at z = 20 its eighth term is below 1e-16.
  double term = 1;
  double sum = 1;
  for (int k = 1; k <= 8; ++k) {
    term *= -(2 * k - 1) / (2 * z * z);
    sum += term;
  }
  return -z * z - std::log(2 * z * std::sqrt(std::numbers::pi)) + std::log(sum);
}

double NormalTail(double x) { return 0.5 * std::erfc(x / std::numbers::sqrt2); }

}  // namespace tutti::dp

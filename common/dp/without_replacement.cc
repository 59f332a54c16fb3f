#include "common/dp/without_replacement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/status.h"
#include "common/dp/normal.h"
#include "common/dp/whole_orders.h"

namespace tutti::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kHighestMoment = 256;  // even

// log |e^x - 1|.
double LogAbsExpm1(double x) {
  if (x > 40) return x;
  return std::log(std::abs(std::expm1(x)));
}

// log E[(r - 1)^power] under the second Gaussian, r the likelihood ratio of two Gaussians one
// sensitivity apart, `power` even. The theorem writes it as a forward difference of e^((k^2 - k) /
// 2 sigma^2), which loses all digits when sigma is large; the integrand is never negative, so the
// trapezoidal rule, which converges exponentially on the whole line, keeps them.
double LogCentralMoment(double sigma, int power) {
  const double inverse = 1 / sigma;
  // In units of sigma the integrand's mass lies between -12 and power / sigma + 12.
  constexpr double kStep = 0.125;
  const auto count = static_cast<int>((power * inverse + 24) / kStep) + 1;
  const auto log_integrand = [&](int i) {
    const double z = -12 + i * kStep;
    return power * LogAbsExpm1((z - inverse / 2) * inverse) - z * z / 2;
  };
  double highest = -kInfinity;
  for (int i = 0; i < count; ++i) highest = std::max(highest, log_integrand(i));
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += std::exp(log_integrand(i) - highest);
  return highest + std::log(sum * kStep) - 0.91893853320467274178;  // log sqrt(2 pi)
}

// The theorem's terms 2..highest, without q^j and the binomial: they do not depend on the order.
// `fine`: with the moments of (r - 1); without, only the branch 2 e^((j - 1) rdp(j)).
std::vector<double> LogTerms(double sigma, int highest, bool fine) {
  const auto renyi = [&](int order) { return order / (2 * sigma * sigma); };
  std::vector<double> terms(static_cast<std::size_t>(highest) + 1, -kInfinity);
  for (int j = 2; j <= highest; ++j) {
    terms[static_cast<std::size_t>(j)] = std::log(2.0) + (j - 1) * renyi(j);
  }
  // At order 2 the moment has a closed form, e^rdp(2) - 1, and every order uses it.
  terms[2] = std::min(terms[2], std::log(4.0) + LogAbsExpm1(renyi(2)));
  if (!fine) return terms;
  double below = LogAbsExpm1(renyi(2));
  for (int j = 3; j <= highest; ++j) {
    const double above = j % 2 == 1 ? LogCentralMoment(sigma, j + 1) : below;
    const double both = j % 2 == 1 ? (below + above) / 2 : below;
    double& term = terms[static_cast<std::size_t>(j)];
    term = std::min(term, std::log(4.0) + both);
    below = above;
  }
  return terms;
}

}  // namespace

RdpCurve RdpCurveWithoutReplacement(double fraction, double noise_multiplier) {
  TUTTI_CHECK(fraction > 0 && fraction <= 1 && noise_multiplier >= 0);
  RdpCurve curve{};
  const double two_variance = 2 * noise_multiplier * noise_multiplier;
  for (std::size_t i = 0; i < kOrderCount; ++i) curve[i] = Orders()[i] / two_variance;
  // Where even the Gaussian itself leaves the range of a double, so would the moments.
  if (fraction == 1 || !(two_variance > 1e-6)) return curve;
  const auto highest = static_cast<int>(Orders().back());
  const std::vector<double> fine = LogTerms(noise_multiplier, kHighestMoment, true);
  const std::vector<double> coarse = LogTerms(noise_multiplier, highest, false);
  const auto log_moment = [&](int order) {  // log of the order-th moment, at least 0
    const std::vector<double>& terms = order <= kHighestMoment ? fine : coarse;
    double log_excess = -kInfinity;
    double log_binomial = std::log(static_cast<double>(order));
    for (int j = 2; j <= order; ++j) {
      log_binomial += std::log(static_cast<double>(order - j + 1)) - std::log(j);
      log_excess = LogAdd(
          log_excess, log_binomial + j * std::log(fraction) + terms[static_cast<std::size_t>(j)]);
    }
    return log_excess > 40 ? log_excess : std::log1p(std::exp(log_excess));
  };
  return CurveFromWholeOrders(log_moment, curve);
}

}  // namespace tutti::dp

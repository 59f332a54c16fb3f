#include "common/dp/distributed.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "common/base/text.h"

namespace tutti::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// (order - 1) * rdp for whole orders; 0 at order 1.
double SkellamLogMoment(const Skellam& event, double order) {
  if (order < 2) return 0;
  const double l1 = event.l1_sensitivity;
  const double l2_squared = event.l2_sensitivity * event.l2_sensitivity;
  const double mu = event.variance;
  const double gaussian = order * l2_squared / (2 * mu);
  const double excess =
      std::min(((2 * order - 1) * l2_squared + 6 * l1) / (4 * mu * mu), 3 * l1 / (2 * mu));
  return (order - 1) * (gaussian + excess);
}

}  // namespace

double RoundedL2Norm(double norm, std::uint64_t values, double beta) {
  TUTTI_CHECK(norm > 0 && values >= 1 && beta >= 0 && beta < 1);
  const double root = std::sqrt(static_cast<double>(values));
  const double always = norm + root;
  if (beta == 0) return always;
  const double likely = norm * norm + static_cast<double>(values) / 4 +
                        std::sqrt(2 * std::log(1 / beta)) * (norm + root / 2);
  return std::min(always, std::sqrt(likely));
}

double RoundedL1Norm(double l2_norm, std::uint64_t values) {
  return l2_norm * std::min(std::sqrt(static_cast<double>(values)), l2_norm);
}

double DiscreteGaussianSumGap(double share_sigma, std::uint64_t shares) {
  const double rate = 2 * std::numbers::pi * std::numbers::pi * share_sigma * share_sigma;
  double sum = 0;
  for (std::uint64_t k = 1; k < shares; ++k) {
    const auto terms = static_cast<double>(k);
    sum += std::exp(-rate * terms / (terms + 1));
  }
  return 10 * sum;
}

StatusOr<double> ScaleForModulus(const ModulusFit& fit) {
  const bool sane = fit.bits >= 1 && fit.bits <= 62 && fit.clip > 0 && fit.share_stddev >= 0 &&
                    fit.contributions >= 1 && fit.values >= 1 && fit.stddevs > 0 &&
                    fit.flatness > 0 && std::isfinite(fit.clip + fit.share_stddev + fit.stddevs);
  if (!sane) {
    return InvalidArgument(Join("modulus of ", fit.bits, " bits for ", fit.contributions,
                                " contributions of ", fit.values, " values, clip ", fit.clip,
                                ", share stddev ", fit.share_stddev, ", ", fit.stddevs,
                                " stddevs: expected 1 to 62 bits and positive finite numbers"));
  }
  const auto n = static_cast<double>(fit.contributions);
  const double room = std::exp2(2.0 * fit.bits) - n * fit.stddevs * fit.stddevs;
  if (room <= 0) {
    return OutOfRange(Join("a modulus of ", fit.bits, " bits cannot hold ", fit.stddevs,
                           " standard deviations of the rounding of ", fit.contributions,
                           " contributions; use more bits or fewer contributions"));
  }
  const double signal =
      fit.flatness * fit.clip * fit.clip * n * n / static_cast<double>(fit.values);
  const double noise = n * fit.share_stddev * fit.share_stddev;
  return std::sqrt(room) / (2 * fit.stddevs * std::sqrt(signal + noise));
}

double RdpOfDistributedDiscreteGaussian(const DistributedDiscreteGaussian& event, double gap,
                                        double order) {
  TUTTI_CHECK(order > 1);
  if (event.share_sigma == 0) return kInfinity;
  const double stddev = std::sqrt(static_cast<double>(event.shares)) * event.share_sigma;
  const double l1 = event.l1_sensitivity / stddev;
  const double l2 = event.l2_sensitivity / stddev;
  const auto d = static_cast<double>(event.values);
  const double close = order / 2 * l2 * l2 + gap * d;
  const double shifted = order / 2 * (l2 * l2 + 2 * l1 * gap + gap * gap * d);
  const double norm = l2 + std::sqrt(d) * gap;
  return std::min({close, shifted, order / 2 * norm * norm});
}

double RdpOfSkellam(const Skellam& event, double order) {
  TUTTI_CHECK(order > 1);
  if (event.variance == 0) return kInfinity;
  const double below = std::floor(order);
  const double low = SkellamLogMoment(event, below);
  if (order == below) return low / (order - 1);
  const double high = SkellamLogMoment(event, below + 1);
  return (low + (order - below) * (high - low)) / (order - 1);
}

}  // namespace tutti::dp

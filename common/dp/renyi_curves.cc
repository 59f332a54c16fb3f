#include "common/dp/renyi_curves.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/dp/distributed.h"
#include "common/dp/normal.h"
#include "common/dp/whole_orders.h"
#include "common/dp/without_replacement.h"

namespace tutti::dp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename Rdp>
RdpCurve AtAllOrders(const Rdp& rdp) {
  RdpCurve curve{};
  for (std::size_t i = 0; i < kOrderCount; ++i) curve[i] = rdp(Orders()[i]);
  return curve;
}

// Renyi divergence of two Laplace distributions of scale 1 / loss, one apart. Mironov 2017,
// Proposition 6, with the larger exponential taken out.
double RdpOfLaplace(double loss, double order) {
  // Every loss of at most `loss` has this bound (Bun, Steinke 2016, Proposition 3.3); the exact
  // form below has no digits left for tiny ones.
  const double pure = std::min(loss, order * loss * loss / 2);
  if (order * loss < 1e-5) return pure;
  const double weight = order / (2 * order - 1);
  const double rest = (order - 1) / (2 * order - 1) * std::exp(-(2 * order - 1) * loss);
  const double rounding = 4 * std::numeric_limits<double>::epsilon() / (order - 1);
  return std::min(pure, loss + std::log(weight + rest) / (order - 1) + rounding);
}

// As RdpOfLaplace for whole numbers: the loss is decay * (s, s - 2, ..., -s) for a shift of s, the
// two ends holding all that lies beyond them.
double RdpOfDiscreteLaplace(const DiscreteLaplace& event, double order) {
  const double a = event.decay;
  const auto s = static_cast<double>(event.sensitivity);
  const double norm = std::log1p(std::exp(-a));
  const double log_top = (order - 1) * a * s;
  double log_sum = LogAdd(log_top - norm, -a * s - log_top - norm);
  if (s > 1) {
    // Distances 1..s-1 with mass (1 - e^-a) / (1 + e^-a) e^(-a k): a geometric series.
    const double log_ratio = -a * (2 * order - 1);
    const double log_series =
        log_ratio + std::log(-std::expm1(log_ratio * (s - 1))) - std::log(-std::expm1(log_ratio));
    log_sum = LogAdd(log_sum, std::log(-std::expm1(-a)) - norm + log_top + log_series);
  }
  const double rounding = 4 * std::numeric_limits<double>::epsilon();
  return std::clamp((log_sum + rounding) / (order - 1), 0.0, a * s);
}

RdpCurve CurveOf(const SubsampledGaussian& event) {
  return RdpCurveOf(event.sampling_rate, event.noise_multiplier);
}

RdpCurve CurveOf(const GaussianWithoutReplacement& event) {
  return RdpCurveWithoutReplacement(
      static_cast<double>(event.sample) / static_cast<double>(event.population),
      event.noise_multiplier);
}

RdpCurve CurveOf(const SubsampledLaplace& event) {
  if (!(event.noise_multiplier > 1e-300)) return AtAllOrders([](double) { return kInfinity; });
  const double loss = 1 / event.noise_multiplier;
  const RdpCurve plain = AtAllOrders([&](double order) { return RdpOfLaplace(loss, order); });
  return PoissonAmplified(
      event.sampling_rate, [&](int order) { return RdpOfLaplace(loss, order); }, plain);
}

RdpCurve CurveOf(const DiscreteGaussian& event) {
  const double ratio = event.sensitivity / event.sigma;
  return AtAllOrders([&](double order) { return order * ratio * ratio / 2; });
}

RdpCurve CurveOf(const DiscreteLaplace& event) {
  return AtAllOrders([&](double order) { return RdpOfDiscreteLaplace(event, order); });
}

RdpCurve CurveOf(const Skellam& event) {
  const RdpCurve plain = AtAllOrders([&](double order) { return RdpOfSkellam(event, order); });
  return PoissonAmplified(
      event.sampling_rate, [&](int order) { return RdpOfSkellam(event, order); }, plain);
}

RdpCurve CurveOf(const DistributedDiscreteGaussian& event) {
  const double gap = DiscreteGaussianSumGap(event.share_sigma, event.shares);
  const auto rdp = [&](double order) {
    return RdpOfDistributedDiscreteGaussian(event, gap, order);
  };
  return PoissonAmplified(event.sampling_rate, rdp, AtAllOrders(rdp));
}

RdpCurve CurveOf(const TreeAggregation& event) {
  return RdpCurveOf(SubsampledGaussian{1, NoisePerTree(event), 1});
}

RdpCurve CurveOf(const UnknownRelease&) {
  return AtAllOrders([](double) { return kInfinity; });
}

}  // namespace

RdpCurve PoissonAmplified(double q, const std::function<double(int)>& rdp,
                          const RdpCurve& unamplified) {
  if (q == 1 || std::isinf(unamplified.front())) return unamplified;
  const auto log_moment = [&](int n) {
    // The moment minus 1, so that tiny spends keep their digits.
    double log_excess = -kInfinity;
    double log_binomial = std::log(static_cast<double>(n));
    for (int k = 2; k <= n; ++k) {
      log_binomial += std::log(static_cast<double>(n - k + 1)) - std::log(k);
      const double log_ratio = (k - 1) * rdp(k);
      const double growth = log_ratio > 40 ? log_ratio : std::log(std::expm1(log_ratio));
      log_excess =
          LogAdd(log_excess, log_binomial + (n - k) * std::log1p(-q) + k * std::log(q) + growth);
    }
    return log_excess > 40 ? log_excess : std::log1p(std::exp(log_excess));
  };
  return CurveFromWholeOrders(log_moment, unamplified);
}

RdpCurve RdpCurveOf(const Event& event) {
  return std::visit([](const auto& mechanism) { return CurveOf(mechanism); }, event);
}

}  // namespace tutti::dp

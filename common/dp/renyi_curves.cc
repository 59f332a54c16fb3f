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
  if (event.sampling_rate == 1) return plain;
  // For additive noise symmetric about zero the binomial sum itself is exact (Zhu, Wang 2019,
  // Theorem 6), and removing an example is the worse direction (Mironov et al. 2019, Theorem 5).
  const double q = event.sampling_rate;
  const auto log_moment = [&](int n) {
    double log_excess = -kInfinity;
    double log_binomial = std::log(static_cast<double>(n));
    for (int k = 2; k <= n; ++k) {
      log_binomial += std::log(static_cast<double>(n - k + 1)) - std::log(k);
      const double log_ratio = (k - 1) * RdpOfLaplace(loss, k);
      const double growth = log_ratio > 40 ? log_ratio : std::log(std::expm1(log_ratio));
      log_excess =
          LogAdd(log_excess, log_binomial + (n - k) * std::log1p(-q) + k * std::log(q) + growth);
    }
    return log_excess > 40 ? log_excess : std::log1p(std::exp(log_excess));
  };
  return CurveFromWholeOrders(log_moment, plain);
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
  const double log_q = std::log(q);
  const double log_1mq = std::log1p(-q);
  const auto log_moment = [&](int n) {
    const auto order = static_cast<double>(n);
    // Terms 0 and 1 together are 1 - (terms of order 2 and up with a ratio of 1).
    double log_sum = (order - 1) * log_1mq + std::log1p((order - 1) * q);
    double log_binomial = std::log(order);
    for (int l = 2; l <= n; ++l) {
      log_binomial += std::log(order - l + 1) - std::log(l);
      const double factor = l == 2 ? 0 : std::log(3.0);
      log_sum = LogAdd(
          log_sum, factor + log_binomial + (order - l) * log_1mq + l * log_q + (l - 1) * rdp(l));
    }
    return std::max(log_sum, 0.0);
  };
  return CurveFromWholeOrders(log_moment, unamplified);
}

RdpCurve RdpCurveOf(const Event& event) {
  return std::visit([](const auto& mechanism) { return CurveOf(mechanism); }, event);
}

}  // namespace tutti::dp

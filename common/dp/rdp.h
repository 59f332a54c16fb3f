// Renyi differential privacy of the Poisson-subsampled Gaussian: one step of DP-SGD, as a curve
// over a fixed grid of orders. Neighbouring data sets differ by adding or removing one example.
// Thread safety: pure functions.
// Source: Mironov, Talwar, Zhang 2019, "Renyi differential privacy of the sampled Gaussian
// mechanism", sections 3.2, 3.3.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace tutti::dp {

// 1.1 to 10.9 in steps of 0.1, 11 to 63, 128, 256, 512, 1024.
inline constexpr std::size_t kOrderCount = 156;
using RdpCurve = std::array<double, kOrderCount>;

// The grid, ascending.
const std::array<double, kOrderCount>& Orders();

// An upper bound on the Renyi divergence of `order` > 1 of one step, in nats; within 1e-9 relative
// of the exact value wherever that matters (tests/unit/dp). `sampling_rate` in (0, 1],
// `noise_multiplier` >= 0 (0: infinity).
double RdpOfSubsampledGaussian(double sampling_rate, double noise_multiplier, double order);

// RdpOfSubsampledGaussian at every order of the grid; about 1 ms.
RdpCurve RdpCurveOf(double sampling_rate, double noise_multiplier);

// The smallest epsilon >= 0 over the grid for which a mechanism with RDP `curve` is (epsilon,
// delta)-DP, and the order that gives it. `delta` in (0, 1). Source: Canonne, Kamath, Steinke 2020,
// Proposition 12 (the improved conversion):
//   epsilon = rdp + log1p(-1/order) - log(delta * order) / (order - 1).
struct SpentBudget {
  double epsilon = 0;
  double order = 0;  // 0: nothing was spent
};
SpentBudget EpsilonOf(const RdpCurve& curve, double delta);

}  // namespace tutti::dp

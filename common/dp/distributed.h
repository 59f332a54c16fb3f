// Noise that is the sum of many shares, in integers: what rounding does to the sensitivity, how far
// a sum of discrete Gaussians is from one, and how much of it fits a modulus. All lengths in grid
// units unless said otherwise. Thread safety: pure functions.
// Source: Kairouz, Liu, Steinke 2021, arXiv:2102.06387 (DDG); Agarwal, Kairouz, Liu 2021,
// arXiv:2110.04995 (Skellam); both checked against the authors' published accounting code.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/dp/mechanisms.h"

namespace tutti::dp {

// The l2 norm of a vector of `values` numbers and l2 norm at most `norm`, once each number is
// rounded at random to one of the two nearest integers. DDG Theorem 1: with beta > 0 the rounding
// is drawn again until the norm fits, which happens with probability at least 1 - beta; 0: no
// drawing again. `norm` > 0, `values` >= 1, `beta` in [0, 1).
double RoundedL2Norm(double norm, std::uint64_t values, double beta);

// The l1 norm of a vector of integers with this l2 norm: at most l2 * min(sqrt(values), l2).
double RoundedL1Norm(double l2_norm, std::uint64_t values);

// DDG's tau: how far the sum of `shares` discrete Gaussians is from a discrete Gaussian, per value.
// 10 * sum over k = 1..shares-1 of exp(-2 pi^2 share_sigma^2 k / (k + 1)).
double DiscreteGaussianSumGap(double share_sigma, std::uint64_t shares);

// Where the sum of rounded and noised vectors has to fit into `bits`.
struct ModulusFit {
  int bits = 0;             // 1..62
  double clip = 0;          // l2 norm of one contribution, in its own unit, > 0
  double share_stddev = 0;  // noise of one contribution, in the same unit, >= 0
  std::uint64_t contributions = 1;
  std::uint64_t values = 1;
  double stddevs = 4;   // standard deviations of the sum kept inside the modulus, > 0
  double flatness = 1;  // DDG's rho: 1 for a random rotation
};

// Grid units per unit of the contribution: the finest grid on which `stddevs` standard deviations
// of the noised sum fit (DDG section 4). InvalidArgument names a value out of range; OutOfRange
// when not even the rounding fits: 2^(2 bits) <= contributions * stddevs^2.
StatusOr<double> ScaleForModulus(const ModulusFit& fit);

// Renyi divergence of one release at `order` > 1, unamplified (sampling_rate is not looked at).
// DDG Proposition 14, all three bounds; `gap` is DiscreteGaussianSumGap of the event.
double RdpOfDistributedDiscreteGaussian(const DistributedDiscreteGaussian& event, double gap,
                                        double order);
// The Skellam paper's theorem, which is for whole orders from 2 on; between them the chord of
// (order - 1) * rdp, which is convex in the order.
double RdpOfSkellam(const Skellam& event, double order);

}  // namespace tutti::dp

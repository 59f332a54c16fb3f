// Whole numbers of noise, drawn exactly (unimodal.h has the method and its proof) from an AES-CTR
// stream whose key comes from the generator given and is wiped. Thread safety: confined to one
// thread. What is cut off of each distribution is stated; nothing else differs from it, so k draws
// add at most k times that much to a delta. Running time depends on the numbers drawn.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/noise/unimodal.h"

namespace tutti::noise {

// Mass proportional to exp(-x^2 / 2 sigma^2), cut off beyond 12.5 sigma: less than 2^-110 of the
// mass. Source of the distribution: Canonne, Kamath, Steinke 2020, arXiv:2004.00010.
class DiscreteGaussian {
 public:
  // InvalidArgument unless sigma lies in [0.1, 2^40].
  static StatusOr<DiscreteGaussian> Make(double sigma, SecureRng& rng);
  void Fill(std::span<std::int64_t> out) { sampler_.Fill(out); }
  void AddTo(std::span<std::int64_t> values) { sampler_.AddTo(values); }  // modulo 2^64

 private:
  explicit DiscreteGaussian(UnimodalSampler sampler) : sampler_(std::move(sampler)) {}
  UnimodalSampler sampler_;
};

inline constexpr double kMostSkellamVariance = 0x1p36;

// The difference of two Poisson numbers of mean variance / 2 each. Each is cut off where Chernoff's
// bound is e^-77: less than 2^-109 of the mass for the difference.
class Skellam {
 public:
  // InvalidArgument unless variance lies in [2^-8, kMostSkellamVariance].
  static StatusOr<Skellam> Make(double variance, SecureRng& rng);
  void Fill(std::span<std::int64_t> out);
  void AddTo(std::span<std::int64_t> values);  // modulo 2^64

 private:
  Skellam(UnimodalSampler plus, UnimodalSampler minus)
      : plus_(std::move(plus)), minus_(std::move(minus)) {}
  UnimodalSampler plus_;
  UnimodalSampler minus_;
};

// Two-sided geometric: mass proportional to exp(-decay |x|), cut off beyond 78 / decay: less than
// 2^-110 of the mass.
class DiscreteLaplace {
 public:
  // InvalidArgument unless decay lies in [2^-30, 64].
  static StatusOr<DiscreteLaplace> Make(double decay, SecureRng& rng);
  void Fill(std::span<std::int64_t> out) { sampler_.Fill(out); }
  void AddTo(std::span<std::int64_t> values) { sampler_.AddTo(values); }  // modulo 2^64

 private:
  explicit DiscreteLaplace(UnimodalSampler sampler) : sampler_(std::move(sampler)) {}
  UnimodalSampler sampler_;
};

}  // namespace tutti::noise

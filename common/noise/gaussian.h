// Normally distributed noise from a cryptographic generator: fast enough for a draw per parameter
// and step. Thread safety: confined to one thread. Method: Marsaglia and Tsang 2000 (ziggurat) in
// the form of Doornik 2005, 256 layers; layer index and uniform come from disjoint bits of one
// 64-bit draw. Uniforms have 52 bits; running time depends on the values drawn. 1,024 draws are
// made at a time, the usual case of all of them in vectorised loops (gaussian_kernels.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/noise/gaussian_kernels.h"

namespace tutti::noise {

class Gaussian {
 public:
  explicit Gaussian(SecureRng& bits);
  ~Gaussian();
  Gaussian(const Gaussian&) = delete;
  Gaussian& operator=(const Gaussian&) = delete;

  double Next() { return Block(1)[0]; }  // N(0, 1)
  // At least one and at most `most` (> 0) draws, valid until the next call.
  std::span<const double> Block(std::size_t most) {
    if (next_ == kGaussianBlock) {
      Refill();
    }
    const std::size_t count = std::min(most, kGaussianBlock - next_);
    const std::span<const double> draws = std::span(draws_).subspan(next_, count);
    next_ += count;
    return draws;
  }

 private:
  void Refill();
  double Rest(std::uint64_t draw);  // of a draw that lies outside its layer's inner part
  double Tail(bool negative);
  std::uint64_t Bits();
  double Unit();  // (0, 1]

  SecureRng& bits_;
  BlockWords words_;
  BlockDraws draws_;
  std::size_t next_ = kGaussianBlock;
  std::array<std::uint64_t, 64> spare_;  // bits of the few draws that need more than one word
  std::size_t next_spare_ = 64;
  LayerTable table_;
  std::array<double, kGaussianLayers + 1> height_;  // density exp(-x^2/2) at each layer's edge
};

// Both rules of noise on a grid (docs/privacy.md): every value is rounded to a multiple of `step`
// and then gets a whole number of steps of noise, so that no low bit of a float tells the value
// without the noise.
struct GridNoise {
  double stddev = 0;
  double step = 0;
};

// The grid is 2^-24 of the stddev. Rounding moves a sum of `values` numbers by up to step *
// sqrt(values) between two neighbouring data sets: examples are clipped to `inner_clip` instead of
// `clip_norm` so that the whole sensitivity stays clip_norm. ResourceExhausted when that would
// leave less than half of it.
struct NoisePlan {
  GridNoise noise;
  double inner_clip = 0;
};
StatusOr<NoisePlan> PlanNoise(double clip_norm, double noise_multiplier, std::uint64_t values);

// values[i] = on-grid(values[i]) + noise, rounded to float at the end. stddev 0 leaves values
// alone.
void AddGridNoise(const GridNoise& noise, Gaussian& gaussian, std::span<float> values);

}  // namespace tutti::noise

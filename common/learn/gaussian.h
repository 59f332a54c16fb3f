// Normally distributed noise from a cryptographic generator: fast enough for a draw per parameter
// and step. Thread safety: confined to one thread. Method: Marsaglia and Tsang 2000 (ziggurat) in
// the form of Doornik 2005, 256 layers; layer index and uniform come from disjoint bits of one
// 64-bit draw. Uniforms have 53 bits; running time depends on the values drawn.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "common/base/rng.h"
#include "common/base/status.h"

namespace tutti::learn {

class Gaussian {
 public:
  explicit Gaussian(SecureRng& bits);
  ~Gaussian();
  Gaussian(const Gaussian&) = delete;
  Gaussian& operator=(const Gaussian&) = delete;

  // N(0, 1). 98.8 of 100 draws end here.
  double Next() {
    const std::uint64_t draw = Bits();
    const std::size_t layer = draw & (kLayers - 1);
    const double u = Signed(draw);
    return std::abs(u) < inner_[layer] ? u * edge_[layer] : Rest(draw);
  }

 private:
  std::uint64_t Bits() {
    if (next_ == buffer_.size()) {
      Refill();
    }
    return buffer_[next_++];
  }
  // [-1, 1), from bits 10 to 63.
  static double Signed(std::uint64_t draw) {
    return static_cast<double>(static_cast<std::int64_t>(draw) >> 10) * 0x1.0p-53;
  }
  void Refill();
  double Rest(std::uint64_t draw);  // of a draw that lies outside its layer's inner part
  double Unit();                    // (0, 1]
  double Tail(bool negative);

  static constexpr std::size_t kLayers = 256;
  SecureRng& bits_;
  std::array<std::uint64_t, 1024> buffer_;
  std::size_t next_ = 1024;
  std::array<double, kLayers + 1> edge_;    // right end of each layer; edge_[kLayers] = 0
  std::array<double, kLayers + 1> height_;  // density exp(-x^2/2) there
  std::array<double, kLayers> inner_;  // share of the layer that lies under the density for certain
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

}  // namespace tutti::learn

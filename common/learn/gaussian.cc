#include "common/learn/gaussian.h"

#include <cmath>

#include "common/base/secret.h"
#include "common/base/text.h"

namespace tutti::learn {
namespace {

constexpr double kTailStart =
    3.6541528853610088;  // r and v of the 256-layer ziggurat: Marsaglia and Tsang 2000
constexpr double kLayerArea = 4.92867323399e-3;
constexpr double kGridStepsPerStddev =
    16777216.0;  // 2^24: a float has no finer digits at this size

double Density(double x) { return std::exp(-0.5 * x * x); }

// std::nearbyint, which is a call where the processor's instruction for it may not be assumed: from
// 2^52 on doubles are whole numbers, and adding that rounds half to even.
inline double ToInteger(double value) {
  constexpr double kShift = 0x1.8p52;
  return std::abs(value) < 0x1p51 ? (value + kShift) - kShift : std::nearbyint(value);
}

}  // namespace

Gaussian::Gaussian(SecureRng& bits) : bits_(bits) {
  edge_[0] = kLayerArea / Density(kTailStart);
  edge_[1] = kTailStart;
  for (std::size_t i = 2; i < kLayers; ++i) {
    edge_[i] = std::sqrt(-2.0 * std::log(kLayerArea / edge_[i - 1] + Density(edge_[i - 1])));
  }
  edge_[kLayers] = 0;
  for (std::size_t i = 0; i <= kLayers; ++i) {
    height_[i] = Density(edge_[i]);
  }
  for (std::size_t i = 0; i < kLayers; ++i) {
    inner_[i] = edge_[i + 1] / edge_[i];
  }
}

Gaussian::~Gaussian() { Wipe(buffer_.data(), sizeof(buffer_)); }

void Gaussian::Refill() {
  bits_.Fill({reinterpret_cast<std::uint8_t*>(buffer_.data()), sizeof(buffer_)});
  next_ = 0;
}

double Gaussian::Unit() { return (static_cast<double>(Bits() >> 11) + 1.0) * 0x1.0p-53; }

double Gaussian::Tail(bool negative) {
  while (true) {
    const double x = -std::log(Unit()) / kTailStart;
    const double y = -std::log(Unit());
    if (2.0 * y >= x * x) {
      return negative ? -(kTailStart + x) : kTailStart + x;
    }
  }
}

double Gaussian::Rest(std::uint64_t draw) {
  while (true) {
    const std::size_t layer = draw & (kLayers - 1);
    const double u = Signed(draw);
    if (std::abs(u) < inner_[layer]) {
      return u * edge_[layer];
    }
    if (layer == 0) {
      return Tail(u < 0);
    }
    const double x = u * edge_[layer];
    const double y = height_[layer] + Unit() * (height_[layer + 1] - height_[layer]);
    if (y < Density(x)) {
      return x;
    }
    draw = Bits();
  }
}

StatusOr<NoisePlan> PlanNoise(double clip_norm, double noise_multiplier, std::uint64_t values) {
  if (!(clip_norm > 0) || !std::isfinite(clip_norm) || !(noise_multiplier >= 0) ||
      !std::isfinite(noise_multiplier)) {
    return InvalidArgument(Join("clip_norm is ", clip_norm, " and noise_multiplier ",
                                noise_multiplier,
                                ", expected a positive and a non-negative number"));
  }
  NoisePlan plan;
  plan.noise.stddev = noise_multiplier * clip_norm;
  plan.noise.step = plan.noise.stddev / kGridStepsPerStddev;
  plan.inner_clip = clip_norm - plan.noise.step * std::sqrt(static_cast<double>(values));
  if (plan.inner_clip < clip_norm / 2) {
    return ResourceExhausted(
        Join("noise_multiplier ", noise_multiplier, " over ", values,
             " values is too coarse for float32; use less noise or a smaller model"));
  }
  return plan;
}

void AddGridNoise(const GridNoise& noise, Gaussian& gaussian, std::span<float> values) {
  if (noise.stddev == 0) {
    return;
  }
  const double per_step = 1.0 / noise.step;
  for (float& value : values) {
    const double steps = ToInteger(static_cast<double>(value) * per_step) +
                         ToInteger(gaussian.Next() * kGridStepsPerStddev);
    value = static_cast<float>(steps * noise.step);
  }
}

}  // namespace tutti::learn

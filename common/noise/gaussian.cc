#include "common/noise/gaussian.h"

#include <cmath>

#include "common/base/secret.h"
#include "common/base/text.h"

namespace tutti::noise {
namespace {

constexpr double kTailStart =
    3.6541528853610088;  // r and v of the 256-layer ziggurat: Marsaglia and Tsang 2000
constexpr double kLayerArea = 4.92867323399e-3;

double Density(double x) { return std::exp(-0.5 * x * x); }

}  // namespace

Gaussian::Gaussian(SecureRng& bits) : bits_(bits) {
  auto& edge = table_.edge;
  edge[0] = kLayerArea / Density(kTailStart);
  edge[1] = kTailStart;
  for (std::size_t i = 2; i < kGaussianLayers; ++i) {
    edge[i] = std::sqrt(-2.0 * std::log(kLayerArea / edge[i - 1] + Density(edge[i - 1])));
  }
  edge[kGaussianLayers] = 0;
  for (std::size_t i = 0; i <= kGaussianLayers; ++i) {
    height_[i] = Density(edge[i]);
  }
  for (std::size_t i = 0; i < kGaussianLayers; ++i) {
    table_.inner[i] = edge[i + 1] / edge[i];
  }
}

Gaussian::~Gaussian() {
  Wipe(words_.data(), sizeof(words_));
  Wipe(draws_.data(), sizeof(draws_));
  Wipe(spare_.data(), sizeof(spare_));
}

void Gaussian::Refill() {
  bits_.Fill({reinterpret_cast<std::uint8_t*>(words_.data()), sizeof(words_)});
  BlockPlaces outside;
  const std::size_t count = UsualDraws(words_, table_, draws_, outside);
  for (std::size_t i = 0; i < count; ++i) {
    draws_[outside[i]] = Rest(words_[outside[i]]);
  }
  next_ = 0;
}

std::uint64_t Gaussian::Bits() {
  if (next_spare_ == spare_.size()) {
    bits_.Fill({reinterpret_cast<std::uint8_t*>(spare_.data()), sizeof(spare_)});
    next_spare_ = 0;
  }
  return spare_[next_spare_++];
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
    const std::size_t layer = draw & (kGaussianLayers - 1);
    const double u = SignedUniform(draw);
    const double x = u * table_.edge[layer];
    if (std::abs(u) < table_.inner[layer]) {
      return x;
    }
    if (layer == 0) {
      return Tail(u < 0);
    }
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
  while (!values.empty()) {
    const std::span<const double> draws = gaussian.Block(values.size());
    const std::span<float> part = values.first(draws.size());
    if (!AddDraws(part, draws.data(), noise.step)) {
      for (std::size_t i = 0; i < part.size(); ++i) {
        const double steps = std::nearbyint(static_cast<double>(part[i]) * per_step) +
                             std::nearbyint(draws[i] * kGridStepsPerStddev);
        part[i] = static_cast<float>(steps * noise.step);
      }
    }
    values = values.subspan(draws.size());
  }
}

}  // namespace tutti::noise

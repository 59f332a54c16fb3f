#include "common/noise/gaussian.h"

#include <bit>
#include <cmath>

#include "common/base/secret.h"
#include "common/base/text.h"

namespace tutti::noise {
namespace {

constexpr double kTailStart =
    3.6541528853610088;  // r and v of the 256-layer ziggurat: Marsaglia and Tsang 2000
constexpr double kLayerArea = 4.92867323399e-3;
constexpr double kGridStepsPerStddev =
    16777216.0;  // 2^24: a float has no finer digits at this size

double Density(double x) { return std::exp(-0.5 * x * x); }

// [-1, 1) in steps of 2^-51, from bits 12 to 63.
inline double Signed(std::uint64_t draw) {
  return std::bit_cast<double>((draw >> 12) | 0x3ff0000000000000U) * 2 - 3;
}

// The usual case of `words.size()` draws: draws[i] is right where outside[i] is 0.
inline __attribute__((always_inline)) void Usual(std::span<const std::uint64_t> words,
                                                 const double* edge, const double* inner,
                                                 double* draws, std::uint64_t* outside) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t layer = words[i] & 255;
    const double u = Signed(words[i]);
    draws[i] = u * edge[layer];
    outside[i] = std::abs(u) < inner[layer] ? 0 : 1;
  }
}

// std::nearbyint for |value| < 2^51: from 2^52 on doubles are whole numbers, and adding that rounds
// half to even.
inline double ToInteger(double value) { return (value + 0x1.8p52) - 0x1.8p52; }

// False where a value is too large for ToInteger; then the values are as before.
inline __attribute__((always_inline)) bool AddDraws(std::span<float> values, const double* draws,
                                                    double step, double per_step) {
  unsigned misfits = 0;
  for (const float value : values) {
    misfits += std::abs(static_cast<double>(value) * per_step) < 0x1p51 ? 0U : 1U;
  }
  if (misfits > 0) {
    return false;
  }
  float* const out = values.data();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double steps = ToInteger(static_cast<double>(out[i]) * per_step) +
                         ToInteger(draws[i] * kGridStepsPerStddev);
    out[i] = static_cast<float>(steps * step);
  }
  return true;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void UsualAvx2(std::span<const std::uint64_t> words,
                                               const double* edge, const double* inner,
                                               double* draws, std::uint64_t* outside) {
  Usual(words, edge, inner, draws, outside);
}
__attribute__((target("avx2"))) bool AddDrawsAvx2(std::span<float> values, const double* draws,
                                                  double step, double per_step) {
  return AddDraws(values, draws, step, per_step);
}
bool HasAvx2() { return __builtin_cpu_supports("avx2"); }
#endif

bool AddDrawsBest(std::span<float> values, const double* draws, double step, double per_step) {
#if defined(__x86_64__)
  if (HasAvx2()) {
    return AddDrawsAvx2(values, draws, step, per_step);
  }
#endif
  return AddDraws(values, draws, step, per_step);
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

Gaussian::~Gaussian() {
  Wipe(words_.data(), sizeof(words_));
  Wipe(draws_.data(), sizeof(draws_));
  Wipe(spare_.data(), sizeof(spare_));
}

void Gaussian::Refill() {
  bits_.Fill({reinterpret_cast<std::uint8_t*>(words_.data()), sizeof(words_)});
  std::array<std::uint64_t, kBlock> outside;
#if defined(__x86_64__)
  if (HasAvx2()) {
    UsualAvx2(words_, edge_.data(), inner_.data(), draws_.data(), outside.data());
  } else {
    Usual(words_, edge_.data(), inner_.data(), draws_.data(), outside.data());
  }
#else
  Usual(words_, edge_.data(), inner_.data(), draws_.data(), outside.data());
#endif
  for (std::size_t i = 0; i < kBlock; ++i) {
    if (outside[i] != 0) {
      draws_[i] = Rest(words_[i]);
    }
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
    const std::size_t layer = draw & (kLayers - 1);
    const double u = Signed(draw);
    const double x = u * edge_[layer];
    if (std::abs(u) < inner_[layer]) {
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
    if (!AddDrawsBest(part, draws.data(), noise.step, per_step)) {
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

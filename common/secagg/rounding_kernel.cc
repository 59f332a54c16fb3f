#include "common/secagg/rounding_kernel.h"

#include <bit>
#include <cstddef>
#include <type_traits>

namespace tutti::secagg {
namespace {

#define TUTTI_INLINE inline __attribute__((always_inline))

// Written as comparisons that the processor's minimum and maximum instructions compute exactly.
TUTTI_INLINE double Limited(double value, double bound) {
  const double below = value < bound ? value : bound;
  return below > -bound ? below : -bound;
}

TUTTI_INLINE std::uint64_t RoundLoop(const float* values, const std::uint32_t* random,
                                     std::size_t count, const RoundingScale& scale,
                                     std::uint32_t* lanes) {
  const double clip = scale.clip;
  const double factor = scale.scale;
  const double bound = scale.bound;
  std::int32_t clipped = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(values[i]);
    const double limited = Limited(value, clip);
    clipped += limited != value ? 1 : 0;
    const auto fraction =
        static_cast<double>(static_cast<std::int32_t>(random[i] >> 8)) * 0x1.0p-24;
    // |product| <= 2^29 and 24 fractional bits: the sum is exact in a double.
    const double moved = Limited(limited * factor, bound) + fraction;
    const auto towards_zero = static_cast<std::int32_t>(moved);
    const std::int32_t above = static_cast<double>(towards_zero) > moved ? 1 : 0;
    lanes[i] = static_cast<std::uint32_t>(towards_zero - above);
  }
  return static_cast<std::uint64_t>(clipped);
}

// Number is signed and as wide as a register's lane: int32_t or int64_t.
template <typename Number, typename Lane>
TUTTI_INLINE LaneRange ScaleLoop(const Lane* lanes, std::size_t count, std::uint32_t bits,
                                 double factor, float* out) {
  using Unsigned = std::make_unsigned_t<Number>;
  const std::uint32_t unused = sizeof(Number) * 8 - bits;
  Number least = 0;
  Number most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto shifted = static_cast<Number>(static_cast<Unsigned>(lanes[i]) << unused);
    const auto number = static_cast<Number>(shifted >> unused);
    least = number < least ? number : least;
    most = number > most ? number : most;
    out[i] = static_cast<float>(static_cast<double>(number) * factor);
  }
  return {.least = least, .most = most};
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) std::uint64_t RoundAvx2(const float* values,
                                                        const std::uint32_t* random,
                                                        std::size_t count,
                                                        const RoundingScale& scale,
                                                        std::uint32_t* lanes) {
  return RoundLoop(values, random, count, scale, lanes);
}
template <typename Number, typename Lane>
__attribute__((target("avx2"))) LaneRange ScaleAvx2(const Lane* lanes, std::size_t count,
                                                    std::uint32_t bits, double factor, float* out) {
  return ScaleLoop<Number>(lanes, count, bits, factor, out);
}
bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }
#endif

template <typename Number, typename Lane>
LaneRange Scale(std::span<const Lane> lanes, std::uint32_t bits, double factor,
                std::span<float> out) {
#if defined(__x86_64__)
  if (HasAvx2()) {
    return ScaleAvx2<Number>(lanes.data(), lanes.size(), bits, factor, out.data());
  }
#endif
  return ScaleLoop<Number>(lanes.data(), lanes.size(), bits, factor, out.data());
}

}  // namespace

bool AllFinite(std::span<const float> values) {
  std::uint32_t bad = 0;
  for (const float value : values) {
    const auto exponent = std::bit_cast<std::uint32_t>(value) & 0x7f800000U;
    bad |= exponent == 0x7f800000U ? 1U : 0U;
  }
  return bad == 0;
}

std::uint64_t RoundStochastically(std::span<const float> values,
                                  std::span<const std::uint32_t> random, const RoundingScale& scale,
                                  std::span<std::uint32_t> lanes) {
#if defined(__x86_64__)
  if (HasAvx2()) {
    return RoundAvx2(values.data(), random.data(), values.size(), scale, lanes.data());
  }
#endif
  return RoundLoop(values.data(), random.data(), values.size(), scale, lanes.data());
}

LaneRange ScaleLanes(std::span<const std::uint16_t> lanes, std::uint32_t bits, double factor,
                     std::span<float> out) {
  return Scale<std::int32_t>(lanes, bits, factor, out);
}

LaneRange ScaleLanes(std::span<const std::uint32_t> lanes, std::uint32_t bits, double factor,
                     std::span<float> out) {
  return Scale<std::int32_t>(lanes, bits, factor, out);
}

LaneRange ScaleLanes(std::span<const std::uint64_t> lanes, std::uint32_t bits, double factor,
                     std::span<float> out) {
  return Scale<std::int64_t>(lanes, bits, factor, out);
}

}  // namespace tutti::secagg

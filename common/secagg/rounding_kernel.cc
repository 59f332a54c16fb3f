#include "common/secagg/rounding_kernel.h"

#include <algorithm>
#include <bit>

namespace tutti::secagg {

bool AllFinite(std::span<const float> values) {
  std::uint32_t bad = 0;
  for (const float value : values) {
    const auto exponent = std::bit_cast<std::uint32_t>(value) & 0x7f800000U;
    bad |= static_cast<std::uint32_t>(exponent == 0x7f800000U);
  }
  return bad == 0;
}

std::uint64_t RoundStochastically(std::span<const float> values,
                                  std::span<const std::uint32_t> random, const RoundingScale& scale,
                                  std::span<std::uint32_t> lanes) {
  const double clip = scale.clip;
  const double factor = scale.scale;
  const double bound = scale.bound;
  const std::size_t count = values.size();
  const float* in = values.data();
  const std::uint32_t* uniform = random.data();
  std::uint32_t* out = lanes.data();
  std::uint32_t clipped = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(in[i]);
    const double limited = value > clip ? clip : (value < -clip ? -clip : value);
    clipped += static_cast<std::uint32_t>(limited != value);
    double scaled = limited * factor;
    scaled = scaled > bound ? bound : (scaled < -bound ? -bound : scaled);
    // |scaled| < 2^29 and 24 fractional bits: the sum is exact in a double.
    const double moved =
        scaled + static_cast<double>(static_cast<std::int32_t>(uniform[i] >> 8)) * 0x1.0p-24;
    const auto towards_zero = static_cast<std::int32_t>(moved);
    const std::int32_t floor =
        towards_zero - static_cast<std::int32_t>(static_cast<double>(towards_zero) > moved);
    out[i] = static_cast<std::uint32_t>(floor);
  }
  return clipped;
}

}  // namespace tutti::secagg

// The two loops of the encoding that run over every value, in their own file because they need -O3
// to be vectorised. Thread safety: pure functions over the caller's memory.
#pragma once

#include <cstdint>
#include <span>

namespace tutti::secagg {

// True when no value is infinite or not a number.
bool AllFinite(std::span<const float> values);

struct RoundingScale {
  double clip = 0;   // values are clipped to [-clip, clip] first
  double scale = 0;  // then multiplied
  double bound =
      0;  // |clip * scale|, exactly representable; float error may not carry a product past it
};

// lanes[i] = floor(clipped value * scale + u_i) in two's complement, u_i the upper 24 bits of
// random[i] as a fraction in [0, 1): its expectation is the exact product to 2^-24. Returns how
// many values were clipped. All three have the same length.
std::uint64_t RoundStochastically(std::span<const float> values,
                                  std::span<const std::uint32_t> random, const RoundingScale& scale,
                                  std::span<std::uint32_t> lanes);

}  // namespace tutti::secagg

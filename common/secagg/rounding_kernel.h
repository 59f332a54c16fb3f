// The loops of the encoding that run over every value, in their own file because they need -O3 to
// be vectorised. On x86 with AVX2 a wider version of the same code is chosen at run time; results
// are equal. Thread safety: pure functions over the caller's memory.
#pragma once

#include <cstdint>
#include <span>

namespace tutti::secagg {

// True when no value is infinite or not a number.
bool AllFinite(std::span<const float> values);

struct RoundingScale {
  double clip = 0;   // values are clipped to [-clip, clip] first
  double scale = 0;  // then multiplied
  double bound = 0;  // clip * scale, at most 2^29: float error may not carry a product past it
};

// lanes[i] = floor(clipped value * scale + u_i) in two's complement, u_i the upper 24 bits of
// random[i] as a fraction in [0, 1): its expectation is the exact product to 2^-24. Returns how
// many values were clipped. All three have the same length; every value is finite.
std::uint64_t RoundStochastically(std::span<const float> values,
                                  std::span<const std::uint32_t> random, const RoundingScale& scale,
                                  std::span<std::uint32_t> lanes);

struct LaneRange {
  std::int64_t least = 0;
  std::int64_t most = 0;
};
// out[i] = lane as a signed number of `bits` bits, times factor, rounded to float once; the lane's
// higher bits are ignored. Returns the range of the numbers and zero. Same lengths.
LaneRange ScaleLanes(std::span<const std::uint16_t> lanes, std::uint32_t bits, double factor,
                     std::span<float> out);
LaneRange ScaleLanes(std::span<const std::uint32_t> lanes, std::uint32_t bits, double factor,
                     std::span<float> out);
LaneRange ScaleLanes(std::span<const std::uint64_t> lanes, std::uint32_t bits, double factor,
                     std::span<float> out);

}  // namespace tutti::secagg

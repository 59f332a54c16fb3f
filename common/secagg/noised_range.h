// The range a round has to state so that the sum of noised values fits the ring. Thread safety:
// pure functions.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/secagg/noised_encoding.h"

namespace tutti::secagg {

struct NoisedRangeRequest {
  double signal_clip = 0;                 // IntegerNoise::clip_limit, > 0
  NoiseShare share = {};                  // of one client, > 0
  std::uint32_t fewest_clients = 0;       // in a sum that is opened: min_survivors, >= 1
  std::uint64_t values = 0;               // of the vector, >= 1
  std::uint32_t value_bits = 20;          // 4 .. 30
  double overflow_probability = 0x1p-40;  // of a round's sum, in (0, 1)
};

struct NoisedRange {
  double value_clip = 0;   // what RoundConfig states: signal clip and room for a client's part of
                           // the sum's noise, and one step of rounding
  double stddevs = 0;      // of the sum's noise that fit, for every number of clients from
                           // fewest_clients on
  double step = 0;         // grid step, in the unit of the values
  double share_steps = 0;  // the share's stddev in grid units
  double overflow_probability = 0;  // upper bound: some value of a sum leaves the range
};

// A share below 2 grid units: the sum of discrete Gaussians is then no longer one
// (dp::DiscreteGaussianSumGap), and rounding costs more than the noise.
inline constexpr double kLeastShareSteps = 2;
// Largest stddev of Skellam noise, in grid steps: what the sampler draws
// (noise::kMostSkellamVariance).
inline constexpr double kMostSkellamSteps = 0x1p18;

// Sums of u >= fewest_clients clients stay within u * value_clip. The bound: both kinds of noise
// have exponential moments at most those of a normal number (discrete Gaussian) or known in closed
// form (Skellam), so Chernoff's bound holds for their sums exactly; then a union over the values.
// Only what an honest round does is bounded: a wrap-around costs accuracy, never privacy.
// InvalidArgument: a number out of range, or a share below kLeastShareSteps, with the value_bits or
// the noise that would do.
StatusOr<NoisedRange> PlanNoisedRange(const NoisedRangeRequest& request);

}  // namespace tutti::secagg

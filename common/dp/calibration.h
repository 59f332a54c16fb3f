// The other way round: how much noise, or how many steps, a budget allows.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "common/dp/accountant.h"

namespace tutti::dp {

inline constexpr double kNoiseGrid = 1e-4;  // calibrated noise multipliers are multiples of this
inline constexpr double kMaxNoiseMultiplier = 1e4;  // calibration looks no further

// The smallest multiple of kNoiseGrid for which `steps` steps at `sampling_rate` cost at most
// `target`. About 30 ms. InvalidArgument on a value out of range or steps = 0; OutOfRange when even
// kMaxNoiseMultiplier is too little noise.
StatusOr<double> CalibrateNoise(const Budget& target, double sampling_rate, std::uint64_t steps);

// The largest number of further steps of (event.sampling_rate, event.noise_multiplier) after
// `history` inside `budget`.
StatusOr<std::uint64_t> MaxSteps(std::span<const SubsampledGaussian> history,
                                 const SubsampledGaussian& event, const Budget& budget);

}  // namespace tutti::dp

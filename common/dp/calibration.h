// The other way round: how much noise, how many steps, or how much sampling a budget allows.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "common/dp/accountant.h"

namespace tutti::dp {

inline constexpr double kNoiseGrid = 1e-4;  // calibrated noise multipliers are multiples of this
inline constexpr double kMaxNoiseMultiplier = 1e4;  // calibration looks no further
inline constexpr double kMinSamplingRate = 1e-9;
inline constexpr std::uint64_t kMaxCalibratedSteps = 1'000'000'000;

// How a cost is computed.
enum class Method {
  kRdp,  // Renyi curves: about 0.5 ms
  kPld,  // loss distributions (common/dp/pld.h): tighter, about 50 ms
};

// Epsilon of `event` at `delta`. Errors as SpentEpsilon and SpentEpsilonByPld.
StatusOr<double> CostOf(const SubsampledGaussian& event, double delta, Method method);

// What each search gives costs at most `target` by CostOf, so it can be checked. InvalidArgument on
// a value out of range; OutOfRange when nothing in the range searched meets the target.

// The smallest multiple of kNoiseGrid for which `steps` >= 1 steps at `sampling_rate` fit. About 30
// ms by RDP, a second by PLD.
StatusOr<double> CalibrateNoise(const Budget& target, double sampling_rate, std::uint64_t steps,
                                Method method = Method::kRdp);

// The smallest multiple of kNoiseGrid whose cost by `epsilon_of` is at most the target's epsilon;
// `epsilon_of` does not grow with the noise. About 27 calls. Errors of `epsilon_of` are passed on.
StatusOr<double> CalibrateNoiseBy(const std::function<StatusOr<double>(double)>& epsilon_of,
                                  const Budget& target);

// The largest number of steps of this rate and noise that fit, at most kMaxCalibratedSteps; 0 when
// not even one does.
StatusOr<std::uint64_t> CalibrateSteps(const Budget& target, double sampling_rate,
                                       double noise_multiplier, Method method = Method::kRdp);

// The largest sampling rate in [kMinSamplingRate, 1], to 1e-6 relative, at which `steps` >= 1 steps
// of this noise fit.
StatusOr<double> CalibrateSamplingRate(const Budget& target, double noise_multiplier,
                                       std::uint64_t steps, Method method = Method::kRdp);

// The largest number of further steps of (event.sampling_rate, event.noise_multiplier) after
// `history` inside `budget`, by RDP.
StatusOr<std::uint64_t> MaxSteps(std::span<const SubsampledGaussian> history,
                                 const SubsampledGaussian& event, const Budget& budget);

}  // namespace tutti::dp

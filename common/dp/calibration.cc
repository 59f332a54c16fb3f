#include "common/dp/calibration.h"

#include <cmath>
#include <cstdint>

#include "common/base/text.h"

namespace tutti::dp {

StatusOr<double> CalibrateNoise(const Budget& target, double sampling_rate, std::uint64_t steps) {
  if (!(target.epsilon > 0) || std::isinf(target.epsilon)) {
    return InvalidArgument(
        Join("target epsilon is ", target.epsilon, ", expected a finite number above 0"));
  }
  if (steps == 0) return InvalidArgument("noise for 0 steps was asked for, expected at least 1");
  // The whole range and the values are checked once, by the first call.
  const auto cost = [&](std::uint64_t grid_units) -> StatusOr<double> {
    const SubsampledGaussian event{sampling_rate, static_cast<double>(grid_units) * kNoiseGrid,
                                   steps};
    TUTTI_ASSIGN(const SpentBudget spent, SpentEpsilon({&event, 1}, target.delta));
    return spent.epsilon;
  };
  std::uint64_t failing = 0;  // no noise at all
  auto enough = static_cast<std::uint64_t>(std::llround(kMaxNoiseMultiplier / kNoiseGrid));
  TUTTI_ASSIGN(const double least, cost(enough));
  if (least > target.epsilon) {
    return OutOfRange(Join("epsilon ", target.epsilon, " at delta ", target.delta, " over ", steps,
                           " steps needs a noise multiplier above ", kMaxNoiseMultiplier,
                           "; raise the target, or take fewer steps or smaller batches"));
  }
  while (enough - failing > 1) {
    const std::uint64_t middle = failing + (enough - failing) / 2;
    TUTTI_ASSIGN(const double epsilon, cost(middle));
    (epsilon <= target.epsilon ? enough : failing) = middle;
  }
  return static_cast<double>(enough) * kNoiseGrid;
}

StatusOr<std::uint64_t> MaxSteps(std::span<const SubsampledGaussian> history,
                                 const SubsampledGaussian& event, const Budget& budget) {
  Accountant accountant;
  for (const SubsampledGaussian& spent : history) TUTTI_TRY(accountant.Add(spent));
  return accountant.MaxSteps(event, budget);
}

}  // namespace tutti::dp

#include "common/dp/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>

#include "common/base/text.h"
#include "common/dp/pld.h"

namespace tutti::dp {
namespace {

using Cost = std::function<StatusOr<double>(std::uint64_t)>;

// The smallest number in (failing, enough] whose cost is at most `target`; `enough` is one.
StatusOr<std::uint64_t> Smallest(const Cost& cost, double target, std::uint64_t failing,
                                 std::uint64_t enough) {
  while (enough - failing > 1) {
    const std::uint64_t middle = failing + (enough - failing) / 2;
    TUTTI_ASSIGN(const double epsilon, cost(middle));
    (epsilon <= target ? enough : failing) = middle;
  }
  return enough;
}

Status CheckTarget(const Budget& target) {
  if (!(target.epsilon > 0) || std::isinf(target.epsilon)) {
    return InvalidArgument(
        Join("target epsilon is ", target.epsilon, ", expected a finite number above 0"));
  }
  return CheckDelta(target.delta);
}

// kMaxNoiseMultiplier in steps of kNoiseGrid.
constexpr std::uint64_t kMostNoise = 100'000'000;

Status TooMuchNoise(const Budget& target) {
  return OutOfRange(Join("epsilon ", target.epsilon, " at delta ", target.delta,
                         " needs a noise multiplier above ", kMaxNoiseMultiplier,
                         "; raise the target, or take fewer steps or smaller batches"));
}

Status CheckSteps(std::uint64_t steps, const char* what) {
  if (steps > 0) return OkStatus();
  return InvalidArgument(Join(what, " for 0 steps was asked for, expected at least 1"));
}

}  // namespace

StatusOr<double> CostOf(const SubsampledGaussian& event, double delta, Method method) {
  if (method == Method::kRdp) {
    TUTTI_ASSIGN(const SpentBudget spent, SpentEpsilon({&event, 1}, delta));
    return spent.epsilon;
  }
  const Event any = event;
  TUTTI_ASSIGN(const PldBudget spent, SpentEpsilonByPld({&any, 1}, delta));
  return spent.epsilon;
}

StatusOr<double> CalibrateNoiseBy(const std::function<StatusOr<double>(double)>& epsilon_of,
                                  const Budget& target) {
  TUTTI_TRY(CheckTarget(target));
  const Cost cost = [&](std::uint64_t grid_units) {
    return epsilon_of(static_cast<double>(grid_units) * kNoiseGrid);
  };
  TUTTI_ASSIGN(const double least, cost(kMostNoise));
  if (!(least <= target.epsilon)) return TooMuchNoise(target);
  TUTTI_ASSIGN(const std::uint64_t units, Smallest(cost, target.epsilon, 0, kMostNoise));
  return static_cast<double>(units) * kNoiseGrid;
}

StatusOr<double> CalibrateNoise(const Budget& target, double sampling_rate, std::uint64_t steps,
                                Method method) {
  TUTTI_TRY(CheckTarget(target));
  TUTTI_TRY(CheckSteps(steps, "noise"));
  const auto epsilon_of = [&](double noise) {
    return CostOf({sampling_rate, noise, steps}, target.delta, method);
  };
  if (method == Method::kRdp) return CalibrateNoiseBy(epsilon_of, target);
  const Cost cost = [&](std::uint64_t grid_units) {
    return epsilon_of(static_cast<double>(grid_units) * kNoiseGrid);
  };
  // What RDP calls enough is enough, and not much too much.
  std::uint64_t enough = kMostNoise;
  const StatusOr<double> by_rdp = CalibrateNoise(target, sampling_rate, steps, Method::kRdp);
  if (by_rdp.status().code() == StatusCode::kInvalidArgument) return by_rdp.status();
  if (by_rdp.ok()) enough = static_cast<std::uint64_t>(std::llround(*by_rdp / kNoiseGrid));
  TUTTI_ASSIGN(const double least, cost(enough));
  if (least > target.epsilon) return TooMuchNoise(target);
  std::uint64_t failing = 0;  // no noise at all
  while (enough > 1) {        // tiny noise is slow to convolve: come from above
    const std::uint64_t less = enough - enough / 5 - 1;
    TUTTI_ASSIGN(const double epsilon, cost(less));
    if (epsilon > target.epsilon) {
      failing = less;
      break;
    }
    enough = less;
  }
  TUTTI_ASSIGN(const std::uint64_t units, Smallest(cost, target.epsilon, failing, enough));
  return static_cast<double>(units) * kNoiseGrid;
}

StatusOr<std::uint64_t> CalibrateSteps(const Budget& target, double sampling_rate,
                                       double noise_multiplier, Method method) {
  TUTTI_TRY(CheckTarget(target));
  const SubsampledGaussian event{sampling_rate, noise_multiplier, 1};
  TUTTI_ASSIGN(std::uint64_t fitting, MaxSteps({}, event, target));
  fitting = std::min(fitting, kMaxCalibratedSteps);
  if (method == Method::kRdp || fitting == kMaxCalibratedSteps) return fitting;
  const auto fits = [&](std::uint64_t steps) -> StatusOr<bool> {
    TUTTI_ASSIGN(const double epsilon,
                 CostOf({sampling_rate, noise_multiplier, steps}, target.delta, method));
    return epsilon <= target.epsilon;
  };
  std::uint64_t failing = fitting + fitting / 4 + 1;
  while (failing < kMaxCalibratedSteps) {
    TUTTI_ASSIGN(const bool more, fits(failing));
    if (!more) break;
    fitting = failing;
    failing += failing / 2 + 1;
  }
  failing = std::min(failing, kMaxCalibratedSteps + 1);
  while (failing - fitting > 1) {
    const std::uint64_t middle = fitting + (failing - fitting) / 2;
    TUTTI_ASSIGN(const bool fit, fits(middle));
    (fit ? fitting : failing) = middle;
  }
  return fitting;
}

StatusOr<double> CalibrateSamplingRate(const Budget& target, double noise_multiplier,
                                       std::uint64_t steps, Method method) {
  TUTTI_TRY(CheckTarget(target));
  TUTTI_TRY(CheckSteps(steps, "a sampling rate"));
  const auto fits = [&](double rate) -> StatusOr<bool> {
    TUTTI_ASSIGN(const double epsilon,
                 CostOf({rate, noise_multiplier, steps}, target.delta, method));
    return epsilon <= target.epsilon;
  };
  TUTTI_ASSIGN(const bool all, fits(1));
  if (all) return 1.0;
  TUTTI_ASSIGN(const bool least, fits(kMinSamplingRate));
  if (!least) {
    return OutOfRange(Join("epsilon ", target.epsilon, " at delta ", target.delta, " over ", steps,
                           " steps of noise multiplier ", noise_multiplier,
                           " needs a sampling rate below ", kMinSamplingRate,
                           "; raise the target or the noise, or take fewer steps"));
  }
  double low = kMinSamplingRate;
  double high = 1;
  while (high > low * (1 + 1e-6)) {
    const double middle = std::sqrt(low * high);
    TUTTI_ASSIGN(const bool fit, fits(middle));
    (fit ? low : high) = middle;
  }
  return low;
}

StatusOr<std::uint64_t> MaxSteps(std::span<const SubsampledGaussian> history,
                                 const SubsampledGaussian& event, const Budget& budget) {
  Accountant accountant;
  for (const SubsampledGaussian& spent : history) TUTTI_TRY(accountant.Add(spent));
  return accountant.MaxSteps(event, budget);
}

}  // namespace tutti::dp

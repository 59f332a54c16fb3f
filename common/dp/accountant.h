// How much privacy a list of mechanism events has cost: sums of Renyi curves, turned into epsilon
// at a delta. Everything here is an upper bound, for data sets that differ by adding or removing
// one example. Thread safety: pure functions; Accountant is confined to one thread (copies are
// independent). Source: Mironov 2017 (composition), common/dp/rdp.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "common/base/status.h"
#include "common/dp/rdp.h"

namespace tutti::dp {

// `steps` releases of a Gaussian with stddev noise_multiplier * clip norm, each over a fresh
// Poisson sample.
struct SubsampledGaussian {
  double sampling_rate =
      1;  // (0, 1]; every example is in a step with this probability, independently
  double noise_multiplier = 0;  // >= 0; 0 is no noise: infinite epsilon
  std::uint64_t steps = 0;      // 0 costs nothing
  bool operator==(const SubsampledGaussian&) const = default;
};

// An epsilon at a delta.
struct Budget {
  double epsilon = 0;  // > 0
  double delta = 0;    // (0, 1)
};

// Stands for a release whose privacy is not known: epsilon is infinite with it, whatever else there
// is.
inline constexpr SubsampledGaussian kUnboundedRelease{1, 0, 1};

// InvalidArgument when a field is not a number or out of range; the text names it.
Status CheckEvent(const SubsampledGaussian& event);

// Smallest epsilon, by RDP, for which all `events` together are (epsilon, delta)-DP; infinity when
// one has no noise. InvalidArgument when delta is not in (0, 1) or an event is invalid.
StatusOr<SpentBudget> SpentEpsilon(std::span<const SubsampledGaussian> events, double delta);

// The same, step by step: keeps the summed curve, and each mechanism's own so that repeating it
// costs nothing.
class Accountant {
 public:
  Status Add(
      const SubsampledGaussian& event);  // InvalidArgument as CheckEvent; then nothing is added
  StatusOr<SpentBudget> Spent(double delta) const;
  // What Spent would say after Add(event).
  StatusOr<SpentBudget> SpentWith(const SubsampledGaussian& event, double delta);
  // The largest n such that SpentWith({rate, noise, n}) is at most the budget; 0 when it is used
  // up; at most 2^62. `event.steps` is not looked at.
  StatusOr<std::uint64_t> MaxSteps(const SubsampledGaussian& event, const Budget& budget);
  const RdpCurve& curve() const { return total_; }

 private:
  const RdpCurve& CurveOf(const SubsampledGaussian& event);
  RdpCurve total_{};
  std::map<std::pair<double, double>, RdpCurve> curves_;
};

}  // namespace tutti::dp

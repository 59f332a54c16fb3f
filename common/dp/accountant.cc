#include "common/dp/accountant.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"

namespace tutti::dp {
namespace {

// Distinct mechanisms whose curves are kept; a device meets a handful.
constexpr std::size_t kMaxKeptCurves = 256;

Status CheckDelta(double delta) {
  if (delta > 0 && delta < 1) return OkStatus();
  return InvalidArgument(Join("delta is ", delta, ", expected a number above 0 and below 1"));
}

void AddSteps(RdpCurve& total, const RdpCurve& curve, std::uint64_t steps) {
  if (steps == 0) return;  // 0 times infinity is not a number
  for (std::size_t i = 0; i < kOrderCount; ++i) total[i] += static_cast<double>(steps) * curve[i];
}

}  // namespace

Status CheckEvent(const SubsampledGaussian& event) {
  if (!(event.sampling_rate > 0 && event.sampling_rate <= 1)) {
    return InvalidArgument(Join("mechanism event has sampling rate ", event.sampling_rate,
                                ", expected a number above 0 and at most 1"));
  }
  if (!(event.noise_multiplier >= 0) || std::isinf(event.noise_multiplier)) {
    return InvalidArgument(Join("mechanism event has noise multiplier ", event.noise_multiplier,
                                ", expected a finite number of at least 0"));
  }
  return OkStatus();
}

const RdpCurve& Accountant::CurveOf(const SubsampledGaussian& event) {
  const std::pair key(event.sampling_rate, event.noise_multiplier);
  const auto known = curves_.find(key);
  if (known != curves_.end()) return known->second;
  if (curves_.size() >= kMaxKeptCurves) curves_.clear();
  return curves_.emplace(key, RdpCurveOf(key.first, key.second)).first->second;
}

Status Accountant::Add(const SubsampledGaussian& event) {
  TUTTI_TRY(CheckEvent(event));
  if (event.steps > 0) AddSteps(total_, CurveOf(event), event.steps);
  return OkStatus();
}

StatusOr<SpentBudget> Accountant::Spent(double delta) const {
  TUTTI_TRY(CheckDelta(delta));
  return EpsilonOf(total_, delta);
}

StatusOr<SpentBudget> Accountant::SpentWith(const SubsampledGaussian& event, double delta) {
  TUTTI_TRY(CheckEvent(event));
  TUTTI_TRY(CheckDelta(delta));
  RdpCurve sum = total_;
  if (event.steps > 0) AddSteps(sum, CurveOf(event), event.steps);
  return EpsilonOf(sum, delta);
}

StatusOr<std::uint64_t> Accountant::MaxSteps(const SubsampledGaussian& event,
                                             const Budget& budget) {
  TUTTI_TRY(CheckEvent(event));
  TUTTI_TRY(CheckDelta(budget.delta));
  if (!(budget.epsilon > 0) || std::isinf(budget.epsilon)) {
    return InvalidArgument(
        Join("budget has epsilon ", budget.epsilon, ", expected a finite number above 0"));
  }
  const RdpCurve& curve = CurveOf(event);
  const auto fits = [&](std::uint64_t steps) {
    RdpCurve sum = total_;
    AddSteps(sum, curve, steps);
    return EpsilonOf(sum, budget.delta).epsilon <= budget.epsilon;
  };
  if (!fits(1)) return 0;
  std::uint64_t fitting = 1;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  while (fitting < kMost && fits(fitting * 2)) fitting *= 2;
  if (fitting >= kMost) return kMost;
  std::uint64_t failing = fitting * 2;
  while (failing - fitting > 1) {
    const std::uint64_t middle = fitting + (failing - fitting) / 2;
    (fits(middle) ? fitting : failing) = middle;
  }
  return fitting;
}

StatusOr<SpentBudget> SpentEpsilon(std::span<const SubsampledGaussian> events, double delta) {
  Accountant accountant;
  for (const SubsampledGaussian& event : events) TUTTI_TRY(accountant.Add(event));
  return accountant.Spent(delta);
}

}  // namespace tutti::dp

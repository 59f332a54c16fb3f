#include "common/dp/accountant.h"

#include <cmath>

#include "common/base/text.h"
#include "common/dp/renyi_curves.h"

namespace tutti::dp {
namespace {

// Distinct mechanisms whose curves are kept; a device meets a handful.
constexpr std::size_t kMaxKeptCurves = 256;

void AddSteps(RdpCurve& total, const RdpCurve& curve, std::uint64_t steps) {
  if (steps == 0) return;  // 0 times infinity is not a number
  for (std::size_t i = 0; i < kOrderCount; ++i) total[i] += static_cast<double>(steps) * curve[i];
}

}  // namespace

Status CheckDelta(double delta) {
  if (delta > 0 && delta < 1) return OkStatus();
  return InvalidArgument(Join("delta is ", delta, ", expected a number above 0 and below 1"));
}

Status CheckBudget(const Budget& budget) {
  if (budget.epsilon > 0 && std::isfinite(budget.epsilon)) return CheckDelta(budget.delta);
  return InvalidArgument(Join("epsilon is ", budget.epsilon, ", expected a finite number above 0"));
}

const RdpCurve& Accountant::CurveOf(const Event& event) {
  const Event key = WithSteps(event, 1);
  const auto known = curves_.find(key);
  if (known != curves_.end()) return known->second;
  if (curves_.size() >= kMaxKeptCurves) curves_.clear();
  return curves_.emplace(key, RdpCurveOf(key)).first->second;
}

Status Accountant::Add(const Event& event) {
  TUTTI_TRY(CheckEvent(event));
  TUTTI_TRY(relation_.Add(event));
  if (StepsOf(event) > 0) AddSteps(total_, CurveOf(event), StepsOf(event));
  return OkStatus();
}

StatusOr<SpentBudget> Accountant::Spent(double delta) const {
  TUTTI_TRY(CheckDelta(delta));
  return EpsilonOf(total_, delta);
}

StatusOr<SpentBudget> Accountant::SpentWith(const Event& event, double delta) {
  TUTTI_TRY(CheckEvent(event));
  TUTTI_TRY(CheckDelta(delta));
  CommonRelation relation = relation_;
  TUTTI_TRY(relation.Add(event));
  RdpCurve sum = total_;
  if (StepsOf(event) > 0) AddSteps(sum, CurveOf(event), StepsOf(event));
  return EpsilonOf(sum, delta);
}

StatusOr<std::uint64_t> Accountant::MaxSteps(const Event& event, const Budget& budget) {
  TUTTI_TRY(CheckEvent(event));
  TUTTI_TRY(CheckBudget(budget));
  CommonRelation relation = relation_;
  TUTTI_TRY(relation.Add(WithSteps(event, 1)));
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

StatusOr<SpentBudget> SpentEpsilon(std::span<const Event> events, double delta) {
  Accountant accountant;
  for (const Event& event : events) TUTTI_TRY(accountant.Add(event));
  return accountant.Spent(delta);
}

StatusOr<SpentBudget> SpentEpsilon(std::span<const SubsampledGaussian> events, double delta) {
  Accountant accountant;
  for (const SubsampledGaussian& event : events) TUTTI_TRY(accountant.Add(event));
  return accountant.Spent(delta);
}

}  // namespace tutti::dp

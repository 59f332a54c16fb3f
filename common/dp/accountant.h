// How much privacy a list of mechanism events has cost: sums of Renyi curves, turned into epsilon
// at a delta. Everything here is an upper bound, for the neighbouring relation that all events of
// the list have in common. common/dp/pld.h has the tighter and slower way.
// Thread safety: pure functions; Accountant is confined to one thread (copies are independent).
// Source: Mironov 2017 (composition), common/dp/renyi_curves.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "common/base/status.h"
#include "common/dp/mechanisms.h"
#include "common/dp/rdp.h"

namespace tutti::dp {

// An epsilon at a delta.
struct Budget {
  double epsilon = 0;  // > 0
  double delta = 0;    // (0, 1)
};

// InvalidArgument when delta is not in (0, 1).
Status CheckDelta(double delta);
// InvalidArgument when epsilon is not finite and above 0, or delta not in (0, 1).
Status CheckBudget(const Budget& budget);

// Smallest epsilon, by RDP, for which all `events` together are (epsilon, delta)-DP; infinity when
// one is unknown or has no noise. InvalidArgument when delta is not in (0, 1), an event is invalid,
// or the events' neighbouring relations exclude each other.
StatusOr<SpentBudget> SpentEpsilon(std::span<const Event> events, double delta);
StatusOr<SpentBudget> SpentEpsilon(std::span<const SubsampledGaussian> events, double delta);

// The same, step by step: keeps the summed curve, and each mechanism's own so that repeating it
// costs nothing.
class Accountant {
 public:
  // InvalidArgument as SpentEpsilon; then nothing is added.
  Status Add(const Event& event);
  Status Add(const SubsampledGaussian& event) { return Add(Event(event)); }
  StatusOr<SpentBudget> Spent(double delta) const;
  // What Spent would say after Add(event).
  StatusOr<SpentBudget> SpentWith(const Event& event, double delta);
  StatusOr<SpentBudget> SpentWith(const SubsampledGaussian& event, double delta) {
    return SpentWith(Event(event), delta);
  }
  // The largest n such that SpentWith(event with n steps) is at most the budget; 0 when it is used
  // up; at most 2^62. The event's own steps are not looked at.
  StatusOr<std::uint64_t> MaxSteps(const Event& event, const Budget& budget);
  StatusOr<std::uint64_t> MaxSteps(const SubsampledGaussian& event, const Budget& budget) {
    return MaxSteps(Event(event), budget);
  }
  const RdpCurve& curve() const { return total_; }
  Relation relation() const { return relation_.relation(); }

 private:
  const RdpCurve& CurveOf(const Event& event);
  RdpCurve total_{};
  CommonRelation relation_;
  std::map<Event, RdpCurve> curves_;  // keys have 1 step
};

}  // namespace tutti::dp

// What clients count for the coordinator: whole numbers that travel in the exact lanes beside an
// update and are opened as sums over all clients only. Which lanes a job has and how far one
// example can move them is computed by both sides from the task; noise is sized by it. Thread
// safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::measure {

// Counts of one kind, row major.
struct Family {
  std::string name;                  // "outcomes"
  std::vector<std::uint32_t> shape;  // {groups, labels, predictions}; every size at least 1
  double change = 1;                 // l2 norm of what adding or removing one example can change
  std::uint64_t lanes() const;
};

// The families of a job in the order of their lanes.
struct CountLayout {
  std::vector<Family> families;
  std::uint64_t lanes() const;
  bool empty() const { return families.empty(); }
  // Of the family called `name`; both 0 when there is none.
  struct Place {
    std::uint64_t first = 0, lanes = 0;
  };
  Place Find(std::string_view name) const;
};

inline constexpr std::uint64_t kMaxCountLanes = 65535;

enum class Kind { kTrain, kEvaluate, kAnalyse };
Kind KindOf(const v1::TaskSpec& task);

// Empty for jobs that train without [fairness] and without evaluation.by = "clients".
// InvalidArgument: the task's sections cannot be,
// with the key; more than kMaxCountLanes lanes.
StatusOr<CountLayout> LayoutOf(const v1::TaskSpec& task);

// Noise of this stddev on each lane, in counts: noise_multiplier times the change of the lane's
// family times sqrt(number of families). All counts together are then one Gaussian release of
// noise_multiplier: one example moves them by at most 1 in that metric.
std::vector<double> NoiseStddevs(const CountLayout& layout, double noise_multiplier);

// The lanes of `name` within `counts`, which has layout.lanes(); empty when there is none.
template <typename Number>
std::span<Number> Of(const CountLayout& layout, std::string_view name, std::span<Number> counts) {
  const CountLayout::Place place = layout.Find(name);
  return counts.subspan(place.first, place.lanes);
}

}  // namespace tutti::measure

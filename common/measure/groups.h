// Groups of people in a job: which there are, and how often each label and prediction comes up in
// each. Thread safety: pure functions.
#pragma once

#include "common/measure/counts.h"

namespace tutti::measure {

inline constexpr std::string_view kOutcomes = "outcomes";

// Whether the task looks at groups at all.
inline bool HasGroups(const v1::TaskSpec& task) { return !task.fairness().attribute().empty(); }

// Training with [fairness]: the family kOutcomes, {groups, 2 labels, 2 predictions}, where 1 is the
// positive class and 0 any other, of the received model. Empty without. InvalidArgument names the
// key.
StatusOr<CountLayout> FairnessLayout(const v1::TaskSpec& task);

// InvalidArgument when [fairness] contradicts itself or the model.
Status CheckGroups(const v1::TaskSpec& task);

}  // namespace tutti::measure

// What a client counts of a model on its examples, as lanes of common/measure: for a job that
// evaluates, and beside training. Thread safety: confined to one thread. Torch-free.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/learn/network.h"
#include "common/learn/train.h"
#include "tutti/v1/task.pb.h"

namespace tutti::learn {

// `groups`: for each example its place among fairness.groups, their number when it is of none;
// empty without [fairness]. `weights` in layout order. FailedPrecondition: no examples, or the
// model answers something that is no number. InvalidArgument: task, data or weights do not fit, or
// the task's adversary cannot work on this model (adversary.h). `rng` draws the adversary's starts.
StatusOr<std::vector<std::uint64_t>> CountEvaluation(Network& network, const v1::TaskSpec& task,
                                                     const DataView& data,
                                                     std::span<const std::uint32_t> groups,
                                                     std::span<const float> weights, SecureRng& rng,
                                                     const Progress& progress);

// In the order of measure::LayoutOf(task) for a job that trains: of `data` with the groups of its
// examples where the task looks at groups. Empty when it counts nothing. Errors as CountEvaluation
// and CountOutcomes. `network` has `weights` afterwards.
StatusOr<std::vector<std::uint64_t>> CountBesideTraining(Network& network, const v1::TaskSpec& task,
                                                         const DataView& data,
                                                         std::span<const float> weights,
                                                         SecureRng& rng, const Progress& progress);

}  // namespace tutti::learn

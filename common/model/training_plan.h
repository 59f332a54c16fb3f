// How many optimiser steps a round of local training takes and how batches are drawn: known before
// training, so that the daemon can calibrate the noise and check its budget, and the trainer does
// exactly this. Thread safety: pure function.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

struct TrainingPlan {
  std::uint64_t steps = 0;
  // Chance of each example to be in a step's batch (Poisson sampling); 0 without privacy, where
  // batches are cut from a shuffled order instead.
  double sampling_rate = 0;
  bool operator==(const TrainingPlan&) const = default;
};

// With `sample_examples` (per-example privacy) an epoch is ceil(1 / rate) steps of `sampling_rate`;
// 0 stands for min(1, batch_size / examples). InvalidArgument when not exactly one of local_steps
// and local_epochs is set, batch_size is 0, or the rate is none; FailedPrecondition when there are
// no examples.
StatusOr<TrainingPlan> PlanOf(const v1::TrainingSpec& training, bool sample_examples,
                              std::uint64_t examples, double sampling_rate = 0);

}  // namespace tutti::model

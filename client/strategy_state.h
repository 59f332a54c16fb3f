// What a strategy, and a model with personal parameters, takes through one round on the device:
// what it keeps of the rounds before, what the trainer is given, what enters the sum, and what is
// kept afterwards. Thread safety: confined to the work thread; the result is a value.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/store/job_memory.h"
#include "common/base/status.h"
#include "common/model/layout.h"
#include "common/strategy/sum_vector.h"
#include "tutti/v1/task.pb.h"
#include "tutti/v1/trainer.pb.h"

namespace tutti::client {

// Saved once the round is published with this device in its sum.
struct ToKeep {
  std::string job;
  client_store::Kept kept = client_store::Kept::kControl;
  model::Layout layout;
  std::vector<float> values;
};

// The personal parameters alone. Their names hold the unit and noise of the job's privacy: values
// that were trained under another promise are those of another layout, and are not used.
model::Layout PersonalLayout(const v1::TaskSpec& task, const model::Layout& layout);

class StrategyState {
 public:
  // `task` is that of the round. `checkpoint`: the values of strategy::CheckpointLayout. In the
  // first round of a job nothing of an earlier job of that name counts. A memory that cannot be
  // read is logged and counts as none.
  static StrategyState Begin(const client_store::JobMemory& memory, const v1::TaskSpec& task,
                             std::uint64_t round, const model::Layout& layout,
                             std::vector<float> checkpoint);

  std::span<const float> weights() const { return weights_; }
  // For the trainer (TrainRequest.extra_blocks).
  const std::vector<float>& extra() const { return extra_; }

  // The vector for the sum, of the common part of the trainer's update. Errors as
  // strategy::MakeSumVector.
  StatusOr<std::vector<float>> SumVector(const v1::TaskSpec& task, const v1::TrainReply& trained,
                                         std::span<const float> update) const;
  // `update`: all of it. `extra`: as the trainer left it.
  std::optional<ToKeep> Keep(const v1::TaskSpec& task, const v1::TrainReply& trained,
                             std::span<const float> update, std::vector<float> extra) const;

 private:
  strategy::LocalResult Local(const v1::TrainReply& trained, std::span<const float> update) const;

  strategy::Correction correction_ = strategy::Correction::kNone;
  model::Layout layout_;
  std::vector<float> weights_;
  std::vector<float> control_;  // scaffold: the common control variate
  std::vector<float> own_;      // scaffold: this device's, empty: none yet
  std::vector<float> extra_;
};

}  // namespace tutti::client

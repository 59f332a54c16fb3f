// What a strategy takes through one round on the device: what it kept of the rounds before, what
// the trainer is given beside the weights, and what is kept afterwards. Shared by the client daemon
// and the simulator. Thread safety: value type.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "common/model/layout.h"
#include "common/strategy/mixture.h"
#include "common/strategy/sum_vector.h"
#include "tutti/v1/task.pb.h"

namespace tutti::update {

// Of what is kept. Names of personal parameters hold the unit and noise of the job's privacy:
// values that were trained under another promise are those of another layout, and are not used.
model::Layout KeptLayout(const v1::TaskSpec& task, const model::Layout& model);

class StrategyState {
 public:
  // `task` is that of the round; `model`: the layout of its weights. `checkpoint`: the values of
  // strategy::CheckpointLayout. `kept`: of the rounds before, or empty; strategy::KeptBy says what.
  // `mixture`: read by AFL alone.
  StrategyState(const v1::TaskSpec& task, const model::Layout& model, std::vector<float> checkpoint,
                std::vector<float> kept, const strategy::MixtureRound& mixture = {});

  std::span<const float> weights() const { return weights_; }
  // For the trainer: scaffold's drift c - c_i, or the personal weights; empty: nothing.
  const std::vector<float>& extra() const { return extra_; }

  // The part of the trainer's update that may leave.
  std::vector<float> Common(std::span<const float> whole) const;
  // For update::Encode, of the common part. The spans are of this object.
  strategy::LocalResult Local(std::span<const float> update, std::uint64_t steps,
                              double initial_loss) const;
  // What is kept once the round is published with this device in its sum; empty: nothing. `whole`:
  // the trainer's update; `extra`: as the trainer left it.
  std::vector<float> Keep(const v1::TaskSpec& task, const strategy::LocalResult& local,
                          std::span<const float> whole, std::vector<float> extra) const;

 private:
  strategy::Kept kind_;
  model::Layout layout_;
  std::vector<float> weights_;
  std::vector<float> control_;  // scaffold: the common control variate
  std::vector<float> own_;      // scaffold, AFL: this device's, empty: none yet
  std::vector<float> extra_;
  strategy::MixtureRound mixture_;
  double agnostic_rate_;
};

}  // namespace tutti::update

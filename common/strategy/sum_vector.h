// What enters the secure sum for each strategy, and what its mean means: one place for both sides.
// The vector of a job is
//   update           task.values: trained minus received weights, scaled as the strategy says
//   control change   scaffold: task.values more
//   scalar           nova, q-FFL, AFL (mixture.h): one more, by which the mean is scaled
// Jobs whose noise is in the sum have a vector of their own (common/privacy/terms.h). Jobs that do
// not train send a single 0, for the ring has no empty payload; what they count is in the lanes
// beside. Thread safety: pure functions. Sources: FedNova, Wang et al. 2020 (arXiv:2007.07481);
// SCAFFOLD, Karimireddy et al. 2020 (arXiv:1910.06378, option II); q-FedAvg, Li et al. 2020
// (arXiv:1905.10497, algorithm 2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

enum class Correction { kNone, kScaffold, kNova, kDitto };
Correction CorrectionOf(const v1::TrainingSpec& training);

// Whether the strategy fits the job's optimiser, privacy, weights and range. InvalidArgument names
// the key and what to change. Both sides check it.
Status CheckStrategy(const v1::TaskSpec& task);

struct SumShape {
  std::uint64_t update = 0;   // values of the update
  std::uint64_t control = 0;  // values of the control change; 0 or `update`
  std::uint64_t scalars = 0;  // 0 or 1
  std::uint64_t total() const { return update + control + scalars; }
  bool operator==(const SumShape&) const = default;
};
SumShape SumShapeOf(const v1::TaskSpec& task);

// The weights of a checkpoint and, for scaffold, the common control variate behind them, as
// parameters "control.<name>".
model::Layout CheckpointLayout(const v1::TaskSpec& task, const model::Layout& model);

// What a client keeps from round to round and never sends: its control variate (scaffold), its
// personal model (ditto), its own values of model.personal, its weight in the mixture (AFL).
enum class Kept { kNothing, kControl, kPersonal, kParameters, kMixture };
Kept KeptBy(const v1::TrainingSpec& training);  // of the first two
Kept KeptBy(const v1::TaskSpec& task);

// What one client's training gave. `task` is that of the round (schedule.h).
struct LocalResult {
  std::span<const float> update;               // trained minus received; task.values
  std::uint64_t steps = 0;                     // optimiser steps taken, at least 1
  double initial_loss = 0;                     // q-FFL: mean loss of the received weights, here
  double log_weight = 0;                       // AFL: mixture.h
  std::span<const float> control = {};         // scaffold: the common control variate, task.values
  std::span<const float> client_control = {};  // scaffold: this client's; empty: zero
};

// scaffold: this client's next control variate, c_i - c - update / (steps * learning rate).
std::vector<float> NextControl(const v1::TaskSpec& task, const LocalResult& local);

// The vector for the sum; its length is SumShapeOf(task).total(). InvalidArgument when a part has
// the wrong length; FailedPrecondition when steps or loss lie outside what the scalar can hold.
StatusOr<std::vector<float>> MakeSumVector(const v1::TaskSpec& task, const LocalResult& local);

// The mean of all clients' vectors taken apart.
struct OpenedMean {
  std::vector<float> update;          // for the server's optimiser
  std::vector<float> control_change;  // scaffold: mean of the clients' c_i+ - c_i; else empty
  double mean_weight = 1;             // AFL: of the clients, as they sent it
};
// InvalidArgument when `mean` has the wrong length; DataLoss when the scalar makes no sense, so a
// client sent a wrong vector.
StatusOr<OpenedMean> OpenSumVector(const v1::TaskSpec& task, std::vector<float> mean);

// nova: what divides the update, ||a_i||_1 of equation (5): the number of steps, or with momentum
// or a proximal term the sum of the weights that the gradients of all steps have in the update.
double NormalisedSteps(const v1::TrainingSpec& training, std::uint64_t steps);

}  // namespace tutti::strategy

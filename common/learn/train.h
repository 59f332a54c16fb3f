// Local training and evaluation: what a client does between receiving a model and sending its
// update. Thread safety: confined to one thread. Torch-free. With privacy: DP-SGD (Abadi et al.
// 2016) with Poisson batches; per-example clipping by book-keeping.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/learn/group_tilts.h"
#include "common/learn/network.h"
#include "tutti/v1/task.pb.h"

namespace tutti::learn {

struct DataView {
  std::span<const float> features;             // what the first layer reads; row major, size() rows
  std::span<const std::uint32_t> labels = {};  // below model.classes
  std::span<const float> targets = {};         // in their place for models that predict a number
  // Which of fairness.groups an example is of; any larger number: of none. Empty: nobody asks.
  std::span<const std::uint32_t> groups = {};
  std::size_t size() const { return targets.empty() ? labels.size() : targets.size(); }
};

struct TrainResult {
  std::uint64_t examples = 0;
  std::uint64_t steps = 0;      // taken; with privacy each one is a noisy release
  double sampling_rate = 0;     // 0 without privacy
  double noise_multiplier = 0;  // really used
  double loss =
      0;  // mean over the examples seen; without noise: must stay on the device with privacy
  double clipped_fraction = 0;  // of the examples seen; the same holds
  std::uint64_t counted = 0;    // examples in all batches; the same holds
  std::uint64_t clipped = 0;    // of those, whose gradient was longer than the clip norm
  float max_abs_update = 0;     // largest absolute value of the update
  std::string method;           // "plain" or as Network::GradientMethod
};

struct EvaluateResult {
  std::uint64_t examples = 0;
  // Mean cross entropy; of a model that predicts a number: mean squared error; of centres: mean
  // distortion.
  double loss = 0;
  double accuracy = 0;  // share of the examples; -1 for numbers and centres: there is none
  double mean_absolute_error = 0;  // of such a model
};

// Called after every part of a step: at least once a step.
using Progress = std::function<void(std::uint64_t steps_done, std::uint64_t steps_total)>;

// Called after every step with the weights an update would be made of if this were the last one:
// those that are trained.
using StepSeen = std::function<void(std::uint64_t steps_done, std::span<const float> weights)>;

// Changes the features of one example each time it is used in training (a copy of them).
using RowChange = std::function<void(std::span<float> row)>;

// What a strategy adds to every step's gradient; none of it depends on the data, so it needs no
// noise.
struct StepTerms {
  std::span<const float> drift = {};   // scaffold: c - c_i; empty: nothing
  double pull = 0;                     // FedProx, Ditto: pull * (weights - anchor)
  std::span<const float> anchor = {};  // as long as the weights; empty: the received weights
};

struct TrainHooks {
  StepTerms terms = {};
  RowChange change = {};
  StepSeen seen = {};
  v1::AdversarySpec adversary = {};  // after `change`; against the weights of the step
  GroupTilts tilts = {};             // not empty: the data has groups
};

// `weights` holds the received weights and afterwards the update (trained minus received; 0 where
// the layout says frozen, which gradients, norms and noise leave out). `rng`
// draws the batches and keys the noise: crypto::SystemRng outside tests. privacy.noise_multiplier
// is used as it is (0: no noise, clipping alone); calibration is the caller's. On an error
// `weights` is as received. InvalidArgument: specs, shapes, labels, targets or tokens do not fit.
// FailedPrecondition: no examples, centres with a batch smaller than the data, or training
// diverged. `script_file`, and the errors of a model in such a file: Network::Create.
// training.proximal is not read: `hooks.terms` says what pulls where. Adversary's errors when
// `hooks` has one.
StatusOr<TrainResult> Train(const v1::ModelSpec& model, const v1::TrainingSpec& training,
                            const v1::PrivacySpec& privacy, const DataView& data,
                            std::span<float> weights, SecureRng& rng, const Progress& progress,
                            const TrainHooks& hooks = {}, const std::string& script_file = {});

// The same on a network made before, whose weights it sets: for many trainings in one process.
StatusOr<TrainResult> Train(Network& network, const v1::TrainingSpec& training,
                            const v1::PrivacySpec& privacy, const DataView& data,
                            std::span<float> weights, SecureRng& rng, const Progress& progress,
                            const TrainHooks& hooks = {});

// InvalidArgument when `data`, or that many weights, do not fit the architecture.
Status CheckData(const model::Architecture& architecture, const DataView& data,
                 std::size_t weights);

StatusOr<EvaluateResult> Evaluate(const v1::ModelSpec& model, const DataView& data,
                                  std::span<const float> weights, const Progress& progress,
                                  const std::string& script_file = {});
StatusOr<EvaluateResult> Evaluate(Network& network, const DataView& data,
                                  std::span<const float> weights, const Progress& progress);

}  // namespace tutti::learn

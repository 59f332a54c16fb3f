// The attack on training with per-example privacy: canaries with a gradient of their own are in the
// data or not, and every step's update is searched for them by somebody who knows the model, all
// other data and all settings. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/learn/train.h"
#include "tests/bench/audit/bound.h"
#include "tests/bench/audit/sum.h"
#include "tutti/v1/task.pb.h"

namespace tutti::audit {

// The model that is attacked and all that may be in the data. Neighbours differ in one canary that
// is there or not.
struct Subject {
  v1::ModelSpec model;
  std::vector<float> features;        // of `base` examples that are always there, then the canaries
  std::vector<std::uint32_t> labels;  // same order
  std::uint32_t base = 0;
  std::uint32_t canaries = 0;
  bool apart = false;  // the canaries' gradients are at right angles to all others, as good as
};

// What the attack finds in the updates: with gradients that are apart each canary's by itself, else
// the linear estimate of all amounts (decode.h). "logistic": one unused input for each canary, so
// that their gradients share two values only. "mlp" (203,530 values), "lenet" (lenet5): blank
// images of 28 x 28 with one bright pixel. Base examples are drawn from a fixed seed.
// InvalidArgument for other names.
StatusOr<Subject> SubjectOf(const std::string& model, std::uint32_t canaries, std::uint32_t base);
// The same for a job's model.
StatusOr<Subject> SubjectOf(const v1::ModelSpec& model, std::uint32_t canaries, std::uint32_t base);

// What was promised, and what the attacker's model of the release is.
struct Claim {
  double clip_norm = 1;
  double noise_multiplier = 1;
  double sampling_rate = 1;
  double learning_rate = 1;
  std::uint64_t steps = 1;
};

// The data that is really there: subject's examples `ids`, ascending.
struct Present {
  const Subject& subject;
  std::vector<std::uint32_t> ids;
};

// Step `step` (from 0) of training: `weights` as received, afterwards the update that leaves.
using Release = std::function<Status(const Present&, std::uint64_t step, std::span<float> weights)>;
// The probability with which the attacker believes a canary to be in a step; empty: the claim's.
using Chance = std::function<double(std::uint32_t canary, std::uint64_t step)>;

struct TrainingAttack {
  const Subject& subject;
  Claim claim;
  Chance chance = {};
  double believed_noise = 0;  // multiplier that the attacker believes in; 0: the claim's
  bool believed_unclipped = false;
  std::function<void(std::uint64_t steps_done)> progress = {};
};

// Throws the coins with `coins` and trains claim.steps steps from the model's first weights. Scores
// are functions of the released updates alone.
StatusOr<std::vector<Outcome>> Attack(const TrainingAttack& attack, const Release& release,
                                      SecureRng& coins);

// One step of plain SGD as the claim says, by learn::Train.
struct StepSpecs {
  v1::TrainingSpec training;
  v1::PrivacySpec privacy;
};
StepSpecs SpecsOf(const Claim& claim);
Status TrainStep(const Present& present, const StepSpecs& specs, std::span<float> weights,
                 SecureRng& rng);

// The same with the noise in the sum: the attacked client's clipped gradients go through the
// clients' and the coordinator's own functions, beside those of clients without data. `round` and
// its task have unit "example" and noise "distributed".
Status TrainSummedStep(const Present& present, const RoundToAttack& round, const StepSpecs& specs,
                       std::span<float> weights, SecureRng& rng);

}  // namespace tutti::audit

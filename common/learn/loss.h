// What training minimises. Torch-free. Thread safety: value types and pure functions.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::learn {

enum class Loss {
  kCrossEntropy,  // of one logit a class
  kSquaredError,  // (prediction - target)^2
  kHuber          // half of that up to a difference of 1, then difference - 1/2. Huber 1964
};

// InvalidArgument when training.loss is unknown, or does not fit a model of that many classes: one
// output predicts a number, and cross entropy needs two.
StatusOr<Loss> LossOf(const v1::TrainingSpec& training, std::uint32_t classes);

// True when examples have targets (numbers) in place of labels.
inline bool NeedsTargets(Loss loss) { return loss != Loss::kCrossEntropy; }

}  // namespace tutti::learn

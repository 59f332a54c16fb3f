// What training minimises. Torch-free. Thread safety: value types and pure functions.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/model/architecture.h"
#include "tutti/v1/task.pb.h"

namespace tutti::learn {

enum class Loss {
  kCrossEntropy,  // of one logit a class
  kSquaredError,  // (prediction - target)^2
  kHuber,         // half of that up to a difference of 1, then difference - 1/2. Huber 1964
  kDistortion     // the smallest output: half the squared distance to the nearest centre
};

// InvalidArgument when training.loss is unknown, or does not fit the model: one output predicts a
// number, cross entropy needs two, and centres have the distortion and nothing else.
StatusOr<Loss> LossOf(const v1::TrainingSpec& training, const model::Architecture& architecture);

// What a model is measured by, whichever loss it was trained with.
Loss MeasuredBy(const model::Architecture& architecture);

// True when examples have targets (numbers) in place of labels.
inline bool NeedsTargets(Loss loss) { return loss == Loss::kSquaredError || loss == Loss::kHuber; }

}  // namespace tutti::learn

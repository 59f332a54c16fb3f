// Weights of classes in the loss of each example, so that rare ones count: a setting of the job,
// the same on all devices, from securely summed counts or from anywhere. An example's loss is
// scaled before its gradient is clipped, so privacy is what it is without. Thread safety: pure
// functions.
#pragma once

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

inline constexpr double kMostClassWeight = 1000;

// training.class_weights fits the model and what else weighs examples; InvalidArgument says what to
// change.
Status CheckClassWeights(const v1::TaskSpec& task);

}  // namespace tutti::strategy

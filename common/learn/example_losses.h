// The loss of each example. Internal to common/learn (torch types). Thread safety: pure function.
#pragma once

#include "common/learn/aten.h"
#include "common/learn/loss.h"

namespace tutti::learn {

// [examples], of `outputs` [examples, classes] and `wanted` [examples]: labels (int64), numbers
// (float32) where the loss needs targets, or whatever for the distortion, which does not look.
at::Tensor ExampleLosses(Loss loss, const at::Tensor& outputs, const at::Tensor& wanted);

}  // namespace tutti::learn

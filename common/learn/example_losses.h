// The loss of each example. Internal to common/learn (torch types). Thread safety: pure function.
#pragma once

#include "common/learn/aten.h"
#include "common/learn/loss.h"

namespace tutti::learn {

// What an example's loss has beside the loss itself: loss * factor + tilt * probability of
// `tilted_class`, of classes only. Each [examples] float32, or undefined: 1 and 0.
struct ExampleTerms {
  at::Tensor factors;
  at::Tensor tilts;
  std::int64_t tilted_class = 1;

  // The same with `change` applied to what is there, for instance some of the examples.
  template <typename Change>
  ExampleTerms With(const Change& change) const {
    ExampleTerms changed = *this;
    if (factors.defined()) changed.factors = change(factors);
    if (tilts.defined()) changed.tilts = change(tilts);
    return changed;
  }
};

// [examples], of `outputs` [examples, classes] and `wanted` [examples]: labels (int64), numbers
// (float32) where the loss needs targets, or whatever for the distortion, which does not look.
at::Tensor ExampleLosses(Loss loss, const at::Tensor& outputs, const at::Tensor& wanted,
                         const ExampleTerms& terms = {});

}  // namespace tutti::learn

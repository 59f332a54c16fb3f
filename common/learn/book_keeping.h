// The sum of per-example gradients, each clipped, from one forward and one backward pass and
// without holding one gradient per example: norms come from the inputs and the output gradients of
// the recorded calls, the clipped sum from the same with the clip factors put in. Internal to
// common/learn (torch types). Thread safety: pure functions of their arguments, apart from
// LibTorch's own thread-local modes. Sources: Goodfellow 2015 (norms of linear layers), Bu et al.
// 2022 (mixed ghost norm), Bu et al. 2023 (book-keeping).
#pragma once

#include <functional>
#include <vector>

#include "common/base/status.h"
#include "common/learn/aten.h"
#include "common/learn/example_losses.h"
#include "common/learn/loss.h"

namespace tutti::learn {

using Forward =
    std::function<at::Tensor(const at::Tensor&)>;  // [examples, ...] to logits [examples, classes]

struct ClippedSum {
  std::vector<at::Tensor> gradients;  // one a parameter, in order; undefined when no call used it
  at::Tensor norms;   // [examples], before clipping; not finite where the example was left out
  at::Tensor losses;  // [examples]
};

// A model and the batch its gradients are taken of.
struct ClipRequest {
  const Forward& forward;
  const std::vector<at::Tensor>& parameters;
  const at::Tensor& inputs;
  const at::Tensor& labels;  // or targets; see example_losses.h
  double clip_norm = 1;
  Loss loss = Loss::kCrossEntropy;
  ExampleTerms terms = {};
};

// Sum over the examples of gradient * min(1, clip_norm / norm). An example whose norm or loss is
// not finite adds nothing. FailedPrecondition when `forward` uses a parameter in a way the rules do
// not cover.
StatusOr<ClippedSum> ClipByBookKeeping(const ClipRequest& request);

// min(1, clip_norm / norm) with a margin for the rounding of norms; [examples].
at::Tensor ClipFactors(const at::Tensor& norms, double clip_norm);

}  // namespace tutti::learn

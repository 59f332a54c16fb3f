// Norms and weighted sums of the per-example gradients of one parameter, from the calls that used
// it. A parameter that several calls share has one gradient an example, the sum over the calls: the
// norm is taken of that sum. Internal to common/learn (torch types). Thread safety: pure functions.
//
// The gradient of a matrix is, for example i, G_i = sum over positions t of delta_it a_it^T, delta
// the output's gradient and a the input (for a convolution: the patch). Its squared norm is the sum
// over s, t of (a_is . a_it)(delta_is . delta_it), which needs no G_i and is cheaper when there are
// fewer positions than rows * columns / (rows + columns). Otherwise the G_i are computed, some
// examples at a time, and kept for the weighted sum when they are small. Sources: Goodfellow 2015;
// Rochette et al. 2019; Bu et al. 2022.
#pragma once

#include <vector>

#include "common/learn/capture.h"

namespace tutti::learn {

// A parameter's place in a call.
struct Source {
  const Use* use = nullptr;
  bool bias = false;
};

struct Norms {
  at::Tensor squared;  // [examples]
  // The gradients, [some examples, values] one after the other; empty when they were not kept.
  std::vector<at::Tensor> vectors;
};

// Of the parameter that all `sources` are. At most `keep` floats of gradients are kept.
Norms NormsOf(const std::vector<Source>& sources, std::int64_t keep);

// Sum over the examples of factors[i] * gradient_i, in the parameter's shape.
at::Tensor WeightedSum(const std::vector<Source>& sources, const Norms& norms,
                       const at::Tensor& factors);

}  // namespace tutti::learn

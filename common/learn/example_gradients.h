// Norms and weighted sums of the per-example gradients of one parameter, from the calls that used
// it. A parameter that several calls share has one gradient an example, the sum over the calls: the
// norm is taken of that sum. Internal to common/learn (torch types). Thread safety: pure functions.
//
// The gradient of a matrix is, for example i, G_i = sum over positions t of delta_it a_it^T, delta
// the output's gradient and a the input (for a convolution: the patch). With T positions its
// squared norm is the sum over s, t of (a_is . a_it)(delta_is . delta_it), which needs no G_i:
// cheaper when 2 T^2 < rows * columns. Sources: Goodfellow 2015; Rochette et al. 2019; Bu et al.
// 2022.
#pragma once

#include <vector>

#include "common/learn/capture.h"

namespace tutti::learn {

// A parameter's place in a call.
struct Source {
  const Use* use = nullptr;
  bool bias = false;
};

// [examples]: squared norm of the gradient of the parameter that all `sources` are.
at::Tensor SquaredNorms(const std::vector<Source>& sources);

// Sum over the examples of factors[i] * gradient_i, in the parameter's shape.
at::Tensor WeightedSum(const std::vector<Source>& sources, const at::Tensor& factors);

}  // namespace tutti::learn

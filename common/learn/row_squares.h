// Sums of squares of a tensor's rows, in one pass and without a copy of the tensor. Internal to
// common/learn (torch types). Thread safety: pure function.
#pragma once

#include "common/learn/aten.h"

namespace tutti::learn {

// [rows] of [rows, ...], floats. Right to 2e-6 of each sum, whatever its length.
at::Tensor RowSquares(const at::Tensor& tensor);

}  // namespace tutti::learn

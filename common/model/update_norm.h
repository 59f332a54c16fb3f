// How long an update may be. Thread safety: pure functions.
#pragma once

#include <span>

namespace tutti::model {

// The l2 norm, summed in double. NaN or infinity when a value is.
double L2Norm(std::span<const float> values);

// Scales `values` down to norm `bound` (above 0) when they are longer; true when they were. The
// values are finite. What is left may exceed the bound by rounding, less than 1e-6 of it.
bool LimitNorm(std::span<float> values, double bound);

}  // namespace tutti::model

// Quantiles of a histogram that may carry noise. Thread safety: pure functions. Source of the order
// put into noisy running sums: isotonic regression, as Hay, Rastogi, Miklau, Suciu 2010
// (arXiv:0904.0942) use it; it never moves the sums further from the true ones than the largest
// error before.
#pragma once

#include <span>
#include <vector>

#include "common/measure/answers.h"

namespace tutti::measure {

// `counts` are those below the range of `question`, in each bin, and above it, each with
// independent noise of `stddev`; their sum is above 0. `share` in (0, 1).
Quantile QuantileOf(const v1::QuestionSpec& question, std::span<const double> counts, double stddev,
                    double share);

// The non-decreasing sequence closest to `values` (least squares; pool adjacent violators).
std::vector<double> Ordered(std::span<const double> values);

}  // namespace tutti::measure

// Answers to the questions of a job that analyses, from the opened sums of all clients' counts. How
// far privacy noise may have moved them is said with each. Thread safety: value types and pure
// functions.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "common/measure/analysis.h"

namespace tutti::measure {

// A number about the rows of all clients together. 95 % of the time noise moved it by no more than
// half_width, to first order; 0 without noise.
struct Figure {
  static constexpr double kStddevs =
      1.959963984540054;  // of a normal distribution, in a half width
  double value = std::numeric_limits<double>::quiet_NaN();
  double half_width = 0;
  // Not known: no cell was there, or the noise hides how many were.
  bool known() const { return value == value; }
};

// The number below which `share` of the numbers lie.
struct Quantile {
  double share = 0;
  double value = std::numeric_limits<double>::quiet_NaN();  // interpolated; NaN: outside the range
  // Between these it certainly is without noise (a bin's edges), 95 % of the time with noise.
  // Infinite towards numbers that are outside the range.
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

inline constexpr double kQuantileShares[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

// What a statistic does not tell stays unknown or empty.
struct Answer {
  Figure present, missing;  // cells
  Figure missing_share;     // of all cells

  // Moments of the numbers clipped to the range; the variance is that of the population. Without
  // noise to (high - low) / 2^17 (mean) and (high - low)^2 / 2^16 (variance).
  Figure mean, variance, stddev;

  Figure below, above;       // histogram: numbers outside the range
  std::vector<Figure> bins;  // numbers in each
  std::vector<Quantile> quantiles;

  std::vector<Figure> counts,
      shares;  // categories: of each word; shares of the cells that are there
  Figure other, other_share;
  // If the words are classes: all cells of a listed word / (number of words * those of this one).
  std::vector<Figure> class_weights;
};

// `counts` as AnalysisLayout(task) has them, summed over `clients`; noise of `noise_multiplier`,
// see NoiseStddevs, is in them. One answer a question. InvalidArgument: the counts do not fit the
// task, or cannot be (negative or contradictory without noise).
StatusOr<std::vector<Answer>> AnswersOf(const v1::TaskSpec& task,
                                        std::span<const std::int64_t> counts, std::uint64_t clients,
                                        double noise_multiplier);

}  // namespace tutti::measure

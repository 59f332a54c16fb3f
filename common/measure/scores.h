// Area under the ROC curve and calibration, from counts of examples by the model's scores. Thread
// safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/measure/estimate.h"

namespace tutti::measure {

// The chance that a random example of the class has a higher score than a random other one.
struct Roc {
  Estimate auc;
  // Within one bin nobody knows which scores were higher: the area of all scores lies within this
  // of auc, beside sample and noise.
  double binning = 0;
};

// `others` and `members`: examples not of the class and of it, by score, rising; as long.
// Area: Mann-Whitney with ties for half, unbiased with noise. Sampling: Hanley and McNeil 1982.
// Noise: to first order. Not known when either side is (ShareOf).
Roc RocOf(std::span<const Count> others, std::span<const Count> members);

struct CalibrationBin {
  Count examples;
  double confidence = 0;  // mean probability of what was predicted, as counted; 0 when not known
  Estimate accuracy;
};

struct Calibration {
  std::vector<CalibrationBin> bins;
  // Expected calibration error (Naeini, Cooper, Hauskrecht 2015): mean over the examples of
  // |accuracy - confidence| of their bin. Doubt only adds to it.
  Estimate error;
  // What a perfectly calibrated model would show on such a sample through this noise, on average.
  double floor = 0;
};

// `counts` {bins, 2}: examples and correct ones; `confidence` {bins}: sums of the place above the
// bin's lower edge, in bins (kConfidenceUnits taken out). `classes` says which probabilities the
// bins stand for (evaluation.h).
Calibration CalibrationOf(std::span<const Count> counts, std::span<const Count> confidence,
                          std::uint32_t classes);

}  // namespace tutti::measure

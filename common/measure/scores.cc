#include "common/measure/scores.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/measure/evaluation.h"

namespace tutti::measure {
namespace {

Count SumOf(std::span<const Count> counts) {
  Count sum;
  for (const Count& count : counts) sum = sum + count;
  return sum;
}

bool Known(const Count& all) { return ShareOf(all, {}).known(); }

double Square(double x) { return x * x; }

// Of an area `a` over n positive and m negative examples.
double HanleyMcNeil(double a, double n, double m) {
  const double q1 = a / (2 - a);
  const double q2 = 2 * a * a / (1 + a);
  const double variance = (a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m);
  return std::sqrt(std::max(variance, 0.0));
}

}  // namespace

Roc RocOf(std::span<const Count> others, std::span<const Count> members) {
  const Count all_others = SumOf(others), all_members = SumOf(members);
  if (!Known(all_others) || !Known(all_members)) return {};
  const double m = all_others.value, n = all_members.value;
  double below = 0;  // others in lower bins
  double pairs = 0, ties = 0;
  for (std::size_t b = 0; b < members.size(); ++b) {
    pairs += members[b].value * (below + others[b].value / 2);
    ties += std::max(0.0, members[b].value) * std::max(0.0, others[b].value);
    below += others[b].value;
  }
  const double area = pairs / (n * m);
  double variance = 0;
  double others_below = 0, members_above = n;
  for (std::size_t b = 0; b < members.size(); ++b) {
    members_above -= members[b].value;
    const double won = others_below + others[b].value / 2;     // by a member here
    const double lost = members_above + members[b].value / 2;  // by another here
    variance += Square(members[b].noise_stddev * (won / m - area) / n) +
                Square(others[b].noise_stddev * (lost / n - area) / m);
    others_below += others[b].value;
  }
  const double kept = std::clamp(area, 0.0, 1.0);
  return {.auc = {.value = kept,
                  .sampling_stddev = HanleyMcNeil(kept, n, m),
                  .noise_stddev = std::sqrt(variance)},
          .binning = std::min(1.0, ties / (2 * n * m))};
}

Calibration CalibrationOf(std::span<const Count> counts, std::span<const Count> confidence,
                          std::uint32_t classes) {
  Calibration calibration;
  const auto bins = static_cast<std::uint32_t>(confidence.size());
  const double width = ConfidenceAt(1, classes, bins) - ConfidenceAt(0, classes, bins);
  double distance = 0, chance = 0, noise_variance = 0, chance_variance = 0;
  Count all;
  for (std::uint32_t b = 0; b < bins; ++b) {
    const Count seen = counts[2 * b], right = counts[2 * b + 1];
    all = all + seen;
    const double low = ConfidenceAt(b, classes, bins);
    const double expected = seen.value * low + confidence[b].value * width;  // right, if calibrated
    const double noise_here =
        std::hypot(right.noise_stddev, low * seen.noise_stddev, width * confidence[b].noise_stddev);
    CalibrationBin bin{.examples = seen, .confidence = 0, .accuracy = ShareOfAll(right, seen)};
    double chance_here = 0;
    if (bin.accuracy.known()) {
      bin.confidence = std::clamp(expected / seen.value, low, low + width);
      chance_here = std::sqrt(seen.value * bin.confidence * (1 - bin.confidence));
    }
    distance += std::abs(right.value - expected);
    chance += std::sqrt(2 / std::numbers::pi) * std::hypot(noise_here, chance_here);
    noise_variance += Square(noise_here);
    chance_variance += Square(chance_here);
    calibration.bins.push_back(bin);
  }
  if (!Known(all)) return calibration;
  calibration.error = {.value = std::min(1.0, distance / all.value),
                       .sampling_stddev = std::sqrt(chance_variance) / all.value,
                       .noise_stddev = std::sqrt(noise_variance) / all.value};
  calibration.floor = std::min(1.0, chance / all.value);
  return calibration;
}

}  // namespace tutti::measure

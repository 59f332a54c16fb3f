#include "common/measure/confusion.h"

#include <cmath>

namespace tutti::measure {
namespace {

// F1 is 2 J / (1 + J) of J = right / (right + wrong), wrong either way.
Estimate F1Of(Count right, Count wrong) {
  const Estimate j = ShareOf(right, wrong);
  if (!j.known()) return j;
  const double slope = 2 / ((1 + j.value) * (1 + j.value));
  return {.value = 2 * j.value / (1 + j.value),
          .sampling_stddev = slope * j.sampling_stddev,
          .noise_stddev = slope * j.noise_stddev};
}

}  // namespace

Estimate MeanOf(std::span<const Estimate> estimates) {
  Estimate mean{.value = 0};
  double known = 0;
  for (const Estimate& estimate : estimates) {
    if (!estimate.known()) continue;
    ++known;
    mean.value += estimate.value;
    mean.sampling_stddev = std::hypot(mean.sampling_stddev, estimate.sampling_stddev);
    mean.noise_stddev = std::hypot(mean.noise_stddev, estimate.noise_stddev);
  }
  if (known == 0) return {};
  return {mean.value / known, mean.sampling_stddev / known, mean.noise_stddev / known};
}

ConfusionFigures FiguresOf(std::span<const Count> cells, std::size_t classes) {
  ConfusionFigures figures;
  std::vector<Estimate> precisions, recalls, f1s;
  Count all_right, all_wrong;
  for (std::size_t c = 0; c < classes; ++c) {
    const Count right = cells[c * classes + c];
    Count missed, intruded;
    for (std::size_t other = 0; other < classes; ++other) {
      if (other == c) continue;
      missed = missed + cells[c * classes + other];
      intruded = intruded + cells[other * classes + c];
    }
    const ClassFigures one{.examples = right + missed,
                           .precision = ShareOf(right, intruded),
                           .recall = ShareOf(right, missed),
                           .f1 = F1Of(right, missed + intruded)};
    const bool never_predicted = one.recall.known() && right.noise_stddev == 0;
    precisions.push_back(!one.precision.known() && never_predicted ? Estimate{.value = 0}
                                                                   : one.precision);
    recalls.push_back(one.recall);
    f1s.push_back(one.f1);
    all_right = all_right + right;
    all_wrong = all_wrong + missed;
    figures.classes.push_back(one);
  }
  figures.examples = all_right + all_wrong;
  figures.accuracy = ShareOf(all_right, all_wrong);
  figures.macro_precision = MeanOf(precisions);
  figures.macro_recall = MeanOf(recalls);
  figures.macro_f1 = MeanOf(f1s);
  return figures;
}

}  // namespace tutti::measure

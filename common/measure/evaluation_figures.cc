#include "common/measure/evaluation_figures.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/measure/groups.h"

namespace tutti::measure {
namespace {

// The counts with their noise, by family.
class Lanes {
 public:
  static StatusOr<Lanes> Of(const v1::TaskSpec& task, const Opened& opened, Kind kind) {
    if (KindOf(task) != kind) {
      return InvalidArgument(
          Join("kind is \"", Escaped(task.kind(), 40), "\": such a job has other counts"));
    }
    Lanes lanes;
    TUTTI_ASSIGN(lanes.layout_, LayoutOf(task));
    if (opened.counts.size() != lanes.layout_.lanes()) {
      return InvalidArgument(Join("found ", opened.counts.size(), " counts, the job has ",
                                  lanes.layout_.lanes(),
                                  "; were they written by another version of Tutti?"));
    }
    const std::vector<double> stddevs = NoiseStddevs(lanes.layout_, opened.noise_multiplier);
    for (std::size_t i = 0; i < stddevs.size(); ++i) {
      lanes.counts_.push_back({static_cast<double>(opened.counts[i]), stddevs[i]});
    }
    return lanes;
  }

  std::span<const Count> operator[](std::string_view name) const {
    return measure::Of(layout_, name, std::span<const Count>(counts_));
  }

 private:
  CountLayout layout_;
  std::vector<Count> counts_;
};

Count Scaled(Count count, double factor) {
  return {count.value * factor, count.noise_stddev * std::abs(factor)};
}

// sum / examples, to first order in the noise. Not known when the number of examples is not.
Estimate Mean(Count sum, Count examples) {
  if (!ShareOf(examples, {}).known()) return {};
  const double mean = sum.value / examples.value;
  return {
      .value = mean,
      .sampling_stddev = 0,
      .noise_stddev = std::hypot(sum.noise_stddev, mean * examples.noise_stddev) / examples.value};
}

// Rows [first, last) of a family of `rows` rows, added up.
std::vector<Count> Rows(std::span<const Count> family, std::size_t rows, std::size_t first,
                        std::size_t last) {
  const std::size_t width = family.size() / rows;
  std::vector<Count> sum(width);
  for (std::size_t row = first; row < last; ++row) {
    for (std::size_t i = 0; i < width; ++i) sum[i] = sum[i] + family[row * width + i];
  }
  return sum;
}

PartFigures PartOf(const Lanes& lanes, const EvaluationShape& shape, std::size_t first,
                   std::size_t last) {
  PartFigures part;
  const std::vector<Count> cells = Rows(lanes[kOutcomes], shape.rows, first, last);
  part.confusion = FiguresOf(cells, shape.classes);
  for (const Count& cell : cells) part.matrix.push_back(std::llround(cell.value));
  const bool everything = first == 0 && last == shape.rows;
  if (!everything && shape.score_rows == 1) return part;
  const std::vector<Count> scores = Rows(lanes[kScores], shape.score_rows, everything ? 0 : first,
                                         everything ? shape.score_rows : last);
  for (std::size_t i = 0; i < shape.scored; ++i) {
    const auto own = std::span(scores).subspan(2 * i * shape.bins, 2 * shape.bins);
    part.roc.push_back(RocOf(own.first(shape.bins), own.last(shape.bins)));
  }
  return part;
}

// {2, 2} of one group's confusion matrix: the positive class against all others.
GroupRates RatesOfRow(std::span<const Count> cells, std::size_t classes, std::size_t positive) {
  Count outcomes[2][2];
  for (std::size_t label = 0; label < classes; ++label) {
    for (std::size_t predicted = 0; predicted < classes; ++predicted) {
      Count& into = outcomes[label == positive ? 1 : 0][predicted == positive ? 1 : 0];
      into = into + cells[label * classes + predicted];
    }
  }
  return RatesOfGroup(outcomes);
}

Calibration CalibrationIn(const Lanes& lanes, const EvaluationShape& shape) {
  std::vector<Count> confidence;
  for (const Count& lane : lanes[kConfidence]) {
    confidence.push_back(Scaled(lane, 1.0 / kConfidenceUnits));
  }
  return CalibrationOf(lanes[kCalibration], confidence, shape.classes);
}

}  // namespace

StatusOr<ClassEvaluation> ClassEvaluationOf(const v1::TaskSpec& task, const Opened& opened) {
  TUTTI_ASSIGN(const Lanes lanes, Lanes::Of(task, opened, Kind::kEvaluate));
  ClassEvaluation figures;
  TUTTI_ASSIGN(figures.shape, EvaluationShapeOf(task));
  const EvaluationShape& shape = figures.shape;
  if (shape.number) {
    return InvalidArgument("model.classes is 1, a number that is predicted, expected classes");
  }
  figures.all = PartOf(lanes, shape, 0, shape.rows);
  std::vector<Estimate> areas;
  for (const Roc& roc : figures.all.roc) areas.push_back(roc.auc);
  figures.auc = MeanOf(areas);
  figures.loss = Mean(Scaled(lanes[kLoss][0], 1.0 / kLossUnits), figures.all.confusion.examples);
  figures.calibration = CalibrationIn(lanes, shape);
  if (shape.robust) figures.robust_accuracy = ShareOfAll(lanes[kRobust][1], lanes[kRobust][0]);
  figures.clients = SpreadOf(lanes[kClients]);
  if (!HasGroups(task)) return figures;
  for (std::size_t row = 0; row < shape.rows; ++row) {
    figures.groups.push_back(PartOf(lanes, shape, row, row + 1));
    if (row + 1 == shape.rows) break;
    figures.rates.push_back(RatesOfRow(Rows(lanes[kOutcomes], shape.rows, row, row + 1),
                                       shape.classes, task.fairness().positive_class()));
  }
  return figures;
}

StatusOr<NumberEvaluation> NumberEvaluationOf(const v1::TaskSpec& task, const Opened& opened) {
  TUTTI_ASSIGN(const Lanes lanes, Lanes::Of(task, opened, Kind::kEvaluate));
  NumberEvaluation figures;
  TUTTI_ASSIGN(figures.shape, EvaluationShapeOf(task));
  const double clip = figures.shape.clip;
  if (!figures.shape.number) {
    return InvalidArgument(Join("model.classes is ", figures.shape.classes,
                                ", expected 1: a number that is predicted"));
  }
  figures.examples = lanes[kErrors][0];
  figures.beyond = ShareOfAll(lanes[kErrors][1], lanes[kErrors][0]);
  const double unit = clip / kErrorUnits;
  figures.mean_absolute_error = Mean(Scaled(lanes[kAbsoluteError][0], unit), figures.examples);
  const Estimate square = Mean(Scaled(lanes[kSquaredError][0], unit * clip), figures.examples);
  if (square.known()) {
    const double root = std::sqrt(std::max(square.value, 0.0));
    figures.root_mean_squared_error = {
        .value = root,
        .sampling_stddev = 0,
        .noise_stddev = root > 0 ? square.noise_stddev / (2 * root) : square.noise_stddev};
    Estimate& mean = figures.mean_absolute_error;
    const double variance = std::max(0.0, square.value - mean.value * mean.value);
    mean.sampling_stddev = std::sqrt(variance / figures.examples.value);
  }
  figures.clients = SpreadOf(lanes[kClients]);
  return figures;
}

StatusOr<std::optional<Validation>> ValidationOf(const v1::TaskSpec& task, const Opened& opened) {
  if (!task.validation()) return std::optional<Validation>();
  TUTTI_ASSIGN(const Lanes lanes, Lanes::Of(task, opened, Kind::kTrain));
  TUTTI_ASSIGN(const EvaluationShape shape, EvaluationShapeOf(task));
  Validation figures;
  if (shape.number) {
    figures.examples = lanes[kErrors][0];
    const double unit = shape.clip * shape.clip / kErrorUnits;
    figures.loss = Mean(Scaled(lanes[kSquaredError][0], unit), figures.examples);
  } else {
    figures.examples = lanes[kAnswers][0];
    figures.accuracy = ShareOfAll(lanes[kAnswers][1], lanes[kAnswers][0]);
    figures.loss = Mean(Scaled(lanes[kLoss][0], 1.0 / kLossUnits), figures.examples);
  }
  if (shape.spread) figures.clients = SpreadOf(lanes[kClients]);
  return std::optional(figures);
}

}  // namespace tutti::measure

#include "common/measure/evaluation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/base/text.h"
#include "common/measure/groups.h"

namespace tutti::measure {
namespace {

constexpr std::uint32_t kMinBins = 2, kMaxBins = 200;

Status CheckAdversary(const v1::AdversarySpec& adversary, bool number) {
  if (adversary.kind() != "fgsm" && adversary.kind() != "pgd") {
    return InvalidArgument(Join("adversary.kind is \"", Escaped(adversary.kind(), 40),
                                "\", expected none, fgsm or pgd"));
  }
  if (number) {
    return InvalidArgument(
        "adversary.kind is set for a model that predicts numbers, whose robust accuracy nobody "
        "can say; set it to \"none\"");
  }
  return OkStatus();
}

CountLayout NumberLayout() {
  const double units = kErrorUnits;
  CountLayout layout{{{std::string(kErrors), {2}, std::numbers::sqrt2},
                      {std::string(kAbsoluteError), {1}, units},
                      {std::string(kSquaredError), {1}, units}}};
  return layout;
}

CountLayout AnswersLayout(const EvaluationShape& shape) {
  return {{{std::string(kAnswers), {2}, std::numbers::sqrt2},
           {std::string(kLoss), {1}, shape.most_loss * kLossUnits}}};
}

// One example more can move the client from one bin to another.
void AddClients(const EvaluationShape& shape, CountLayout& layout) {
  if (!shape.spread) return;
  layout.families.push_back({std::string(kClients), {shape.bins}, std::numbers::sqrt2});
}

CountLayout ClassLayout(const EvaluationShape& shape) {
  CountLayout layout;
  const auto add = [&](std::string_view name, std::vector<std::uint32_t> sizes, double change) {
    layout.families.push_back({std::string(name), std::move(sizes), change});
  };
  add(kOutcomes, {shape.rows, shape.classes, shape.classes}, 1);
  // One example is counted once for each class that is scored.
  add(kScores, {shape.score_rows, shape.scored, 2, shape.bins}, std::sqrt(shape.scored));
  add(kCalibration, {shape.bins, 2}, std::numbers::sqrt2);
  add(kConfidence, {shape.bins}, kConfidenceUnits);
  add(kLoss, {1}, shape.most_loss * kLossUnits);
  if (shape.robust) add(kRobust, {2}, std::numbers::sqrt2);
  return layout;
}

}  // namespace

double MostLoss(std::uint32_t classes) {
  return std::floor(2 * kLossUnits * std::log(static_cast<double>(classes))) / kLossUnits;
}

StatusOr<EvaluationShape> EvaluationShapeOf(const v1::TaskSpec& task) {
  EvaluationShape shape{.classes = task.model().classes(),
                        .bins = task.measure().bins(),
                        .beside_training = KindOf(task) == Kind::kTrain};
  if (shape.beside_training) {
    shape.bins = kTrainingBins;
    shape.spread = task.privacy().unit() == "none";
  } else if (shape.bins < kMinBins || shape.bins > kMaxBins) {
    return InvalidArgument(
        Join("measure.bins is ", shape.bins, ", expected ", kMinBins, " to ", kMaxBins));
  }
  if (task.model().architecture() == "kmeans" || task.training().loss() == "distortion") {
    return InvalidArgument(
        "model.architecture is \"kmeans\", whose clusters have no labels to be held against; "
        "evaluate a model that predicts classes or a number");
  }
  if (shape.classes == 0) return InvalidArgument("model.classes is 0, expected at least 1");
  shape.number = shape.classes == 1;
  const std::string& adversary = task.adversary().kind();
  shape.robust = !shape.beside_training && !adversary.empty() && adversary != "none";
  if (shape.robust) TUTTI_TRY(CheckAdversary(task.adversary(), shape.number));
  if (HasGroups(task) && !shape.beside_training) {
    TUTTI_TRY(CheckGroups(task));
    shape.rows = static_cast<std::uint32_t>(task.fairness().groups_size()) + 1;
  }
  if (shape.number) {
    shape.clip = task.secure_aggregation().value_clip();
    if (!(shape.clip > 0) || !std::isfinite(shape.clip)) {
      return InvalidArgument(Join("secure_aggregation.value_clip is ", shape.clip,
                                  ", expected above 0: errors of numbers are clipped to it"));
    }
    return shape;
  }
  if (shape.beside_training) {
    shape.most_loss = MostLoss(shape.classes);
    return shape;
  }
  shape.scored = shape.classes == 2 ? 1 : shape.classes;
  shape.score_rows = shape.classes == 2 ? shape.rows : 1;
  return shape;
}

StatusOr<CountLayout> EvaluationLayout(const v1::TaskSpec& task) {
  if (KindOf(task) == Kind::kTrain && !task.validation()) return CountLayout();
  TUTTI_ASSIGN(const EvaluationShape shape, EvaluationShapeOf(task));
  CountLayout layout = shape.number            ? NumberLayout()
                       : shape.beside_training ? AnswersLayout(shape)
                                               : ClassLayout(shape);
  if (layout.families.front().lanes() > kMaxCountLanes) {
    return InvalidArgument(Join("model.classes is ", shape.classes, " with ", shape.rows,
                                shape.rows == 1 ? " row" : " rows",
                                " of groups: their confusion matrix has more than ", kMaxCountLanes,
                                " numbers; evaluate a model of fewer classes"));
  }
  AddClients(shape, layout);
  return layout;
}

std::uint32_t ScoreBin(double log_probability, std::uint32_t bins) {
  // log(p / (1 - p)); infinite for p = 0 and p = 1, which belong to the outer bins.
  const double odds = log_probability - std::log(-std::expm1(log_probability));
  if (std::isinf(odds)) return odds < 0 ? 0 : bins - 1;
  const double place = 0.5 + 0.5 * odds / (1 + std::abs(odds));
  return std::min(static_cast<std::uint32_t>(place * bins), bins - 1);
}

ConfidencePlace ConfidenceBin(double probability, std::uint32_t classes, std::uint32_t bins) {
  const double lowest = 1.0 / classes;
  const double place = std::clamp((probability - lowest) / (1 - lowest), 0.0, 1.0) * bins;
  const std::uint32_t bin = std::min(static_cast<std::uint32_t>(place), bins - 1);
  return {bin, std::clamp(place - bin, 0.0, 1.0)};
}

double ConfidenceAt(double bin, std::uint32_t classes, std::uint32_t bins) {
  const double lowest = 1.0 / classes;
  return lowest + (1 - lowest) * bin / bins;
}

}  // namespace tutti::measure

#include "common/measure/counts.h"

#include <cmath>
#include <utility>

#include "common/base/text.h"
#include "common/measure/analysis.h"
#include "common/measure/evaluation.h"
#include "common/measure/groups.h"

namespace tutti::measure {

std::uint64_t Family::lanes() const {
  std::uint64_t lanes = 1;
  for (const std::uint32_t size : shape) {
    if (lanes > kMaxCountLanes) return lanes;  // enough to be refused
    lanes *= size;
  }
  return lanes;
}

std::uint64_t CountLayout::lanes() const {
  std::uint64_t lanes = 0;
  for (const Family& family : families) lanes += family.lanes();
  return lanes;
}

CountLayout::Place CountLayout::Find(std::string_view name) const {
  Place place;
  for (const Family& family : families) {
    place.lanes = family.lanes();
    if (family.name == name) return place;
    place.first += place.lanes;
  }
  return {};
}

Kind KindOf(const v1::TaskSpec& task) {
  if (task.kind() == "evaluate") return Kind::kEvaluate;
  if (task.kind() == "analyse") return Kind::kAnalyse;
  return Kind::kTrain;
}

namespace {

// The groups first, then the answers.
StatusOr<CountLayout> TrainingLayout(const v1::TaskSpec& task) {
  TUTTI_ASSIGN(CountLayout layout, FairnessLayout(task));
  TUTTI_ASSIGN(CountLayout answers, EvaluationLayout(task));
  for (Family& family : answers.families) layout.families.push_back(std::move(family));
  return layout;
}

}  // namespace

StatusOr<CountLayout> LayoutOf(const v1::TaskSpec& task) {
  if (!task.kind().empty() && task.kind() != "train" && KindOf(task) == Kind::kTrain) {
    return InvalidArgument(
        Join("kind is \"", Escaped(task.kind(), 40), "\", expected train, evaluate or analyse"));
  }
  StatusOr<CountLayout> layout = CountLayout();
  switch (KindOf(task)) {
    case Kind::kTrain:
      layout = TrainingLayout(task);
      break;
    case Kind::kEvaluate:
      layout = EvaluationLayout(task);
      break;
    case Kind::kAnalyse:
      layout = AnalysisLayout(task);
      break;
  }
  TUTTI_TRY(layout.status());
  if (layout->lanes() > kMaxCountLanes) {
    return InvalidArgument(Join("the job counts ", layout->lanes(), " numbers, at most ",
                                kMaxCountLanes,
                                " are possible; use fewer bins, groups or questions"));
  }
  return layout;
}

std::vector<double> NoiseStddevs(const CountLayout& layout, double noise_multiplier) {
  const double scale = noise_multiplier * std::sqrt(static_cast<double>(layout.families.size()));
  std::vector<double> stddevs;
  stddevs.reserve(layout.lanes());
  for (const Family& family : layout.families) {
    stddevs.insert(stddevs.end(), family.lanes(), scale * family.change);
  }
  return stddevs;
}

}  // namespace tutti::measure

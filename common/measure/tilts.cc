#include "common/measure/tilts.h"

#include "common/base/text.h"

namespace tutti::measure {

FairRule FairRuleOf(const v1::FairnessSpec& fairness) {
  if (fairness.attribute().empty()) return FairRule::kNone;
  if (fairness.rule() == "reweigh") return FairRule::kReweigh;
  if (fairness.rule() == "penalty") return FairRule::kPenalty;
  if (fairness.rule() == "constraint") return FairRule::kConstraint;
  return FairRule::kNone;
}

std::vector<std::vector<int>> LabelSets(const v1::FairnessSpec& fairness) {
  if (fairness.criterion() == "demographic_parity") return {{0, 1}};
  if (fairness.criterion() == "equal_opportunity") return {{1}};
  return {{0}, {1}};
}

std::vector<double> InitialTilts(const v1::FairnessSpec& fairness) {
  const FairRule rule = FairRuleOf(fairness);
  if (rule == FairRule::kNone) return {};
  const auto cells = 2 * static_cast<std::size_t>(fairness.groups_size());
  return std::vector<double>(cells, rule == FairRule::kReweigh ? 1.0 : 0.0);
}

Status CheckTilts(const v1::FairnessSpec& fairness, std::span<const double> tilts) {
  if (tilts.empty()) return OkStatus();
  const FairRule rule = FairRuleOf(fairness);
  if (rule == FairRule::kNone) {
    return InvalidArgument(Join("the model came with ", tilts.size(),
                                " tilts, expected none with fairness.rule = \"none\""));
  }
  const auto cells = 2 * static_cast<std::size_t>(fairness.groups_size());
  if (tilts.size() != cells) {
    return InvalidArgument(Join("the model came with ", tilts.size(), " tilts, expected ", cells,
                                ": two for each of fairness.groups"));
  }
  const bool factor = rule == FairRule::kReweigh;
  const double low = factor ? kMinFactor : -kMaxTilt, high = factor ? kMaxFactor : kMaxTilt;
  for (const double tilt : tilts) {
    if (!(tilt >= low && tilt <= high)) {
      return InvalidArgument(Join("the model came with the tilt ", tilt, ", expected ", low, " to ",
                                  high, " with fairness.rule = \"", fairness.rule(), "\""));
    }
  }
  return OkStatus();
}

}  // namespace tutti::measure

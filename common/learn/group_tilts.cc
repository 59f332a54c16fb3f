#include "common/learn/group_tilts.h"

#include "common/base/text.h"
#include "common/measure/tilts.h"

namespace tutti::learn {

StatusOr<GroupTilts> GroupTilts::Create(const v1::FairnessSpec& fairness,
                                        std::span<const double> tilts) {
  TUTTI_TRY(measure::CheckTilts(fairness, tilts));
  GroupTilts result;
  result.scales_ = measure::FairRuleOf(fairness) == measure::FairRule::kReweigh;
  result.positive_class_ = fairness.positive_class();
  for (const double tilt : tilts) result.values_.push_back(static_cast<float>(tilt));
  return result;
}

Status GroupTilts::CheckFit(std::uint32_t classes, std::size_t labels, std::size_t groups) const {
  if (empty()) return OkStatus();
  if (groups != labels) {
    return InvalidArgument(
        Join("tilts need the group and the label of every example, the data has ", labels,
             " labels and ", groups, " groups"));
  }
  if (positive_class_ >= classes) {
    return InvalidArgument(Join("fairness.positive_class is ", positive_class_, ", the model has ",
                                classes, " classes"));
  }
  return OkStatus();
}

float GroupTilts::Of(std::uint32_t group, std::uint32_t label) const {
  const std::size_t place = 2 * std::size_t{group} + (label == positive_class_ ? 1 : 0);
  if (place < values_.size()) return values_[place];
  return scales_ ? 1.0F : 0.0F;
}

}  // namespace tutti::learn

#include "common/measure/groups.h"

#include <set>

#include "common/base/text.h"

namespace tutti::measure {

Status CheckGroups(const v1::TaskSpec& task) {
  const v1::FairnessSpec& fairness = task.fairness();
  if (fairness.groups_size() < 2) {
    return InvalidArgument(Join("fairness.groups has ", fairness.groups_size(),
                                " words, expected at least 2 of the column \"",
                                Escaped(fairness.attribute(), 80), "\" to compare"));
  }
  if (std::set<std::string>(fairness.groups().begin(), fairness.groups().end()).size() !=
      static_cast<std::size_t>(fairness.groups_size())) {
    return InvalidArgument("fairness.groups names a word twice");
  }
  if (task.model().classes() < 2 || fairness.positive_class() >= task.model().classes()) {
    return InvalidArgument(Join("fairness.positive_class is ", fairness.positive_class(),
                                ", expected one of the model's ", task.model().classes(),
                                " classes (at least 2)"));
  }
  return OkStatus();
}

StatusOr<CountLayout> FairnessLayout(const v1::TaskSpec& task) {
  if (!HasGroups(task)) return CountLayout();
  TUTTI_TRY(CheckGroups(task));
  const auto groups = static_cast<std::uint32_t>(task.fairness().groups_size());
  return CountLayout{{{.name = std::string(kOutcomes), .shape = {groups, 2, 2}, .change = 1}}};
}

}  // namespace tutti::measure

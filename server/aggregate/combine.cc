#include "server/aggregate/combine.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/text.h"

namespace tutti::aggregate {
namespace {

Status Check(const std::vector<GroupMean>& groups, const CombinationRule& rule) {
  if (groups.empty()) {
    return InvalidArgument("there is no group to combine, expected at least 1");
  }
  if (rule.kind == Combination::kTrimmedMean && !(rule.trim > 0 && rule.trim < 0.5)) {
    return InvalidArgument(Join("trim is ", rule.trim, ", expected above 0 and below 0.5"));
  }
  for (const GroupMean& group : groups) {
    if (group.values.size() != groups.front().values.size()) {
      return InvalidArgument(Join("a group's mean has ", group.values.size(), " values, another's ",
                                  groups.front().values.size()));
    }
    if (group.weight == 0) {
      return InvalidArgument("a group has weight 0, expected at least 1");
    }
  }
  return OkStatus();
}

}  // namespace

std::uint32_t GroupsNeeded(const CombinationRule& rule) {
  return rule.kind == Combination::kMean ? 1 : 3;
}

std::size_t LeftOutAtEachEnd(const CombinationRule& rule, std::size_t groups) {
  const std::size_t most = groups == 0 ? 0 : (groups - 1) / 2;
  switch (rule.kind) {
    case Combination::kMean:
      return 0;
    case Combination::kTrimmedMean:
      return std::min(most,
                      static_cast<std::size_t>(std::ceil(rule.trim * static_cast<double>(groups))));
    case Combination::kMedian:
      return most;
  }
  return 0;
}

StatusOr<std::vector<float>> Combine(std::vector<GroupMean> groups, const CombinationRule& rule) {
  TUTTI_TRY(Check(groups, rule));
  std::vector<float>& out = groups.front().values;  // each place is written after it was read
  if (groups.size() == 1) {
    return std::move(out);
  }
  // The mean is the weighted mean of all; the other rules the plain mean of those that are left.
  const bool weighted = rule.kind == Combination::kMean;
  const std::size_t cut = LeftOutAtEachEnd(rule, groups.size());
  double total = 0;
  for (const GroupMean& group : groups) {
    total += weighted ? static_cast<double>(group.weight) : 1.0;
  }
  total -= static_cast<double>(2 * cut);
  std::vector<double> column(groups.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const double value = groups[g].values[i];
      column[g] = weighted ? value * static_cast<double>(groups[g].weight) : value;
    }
    if (cut > 0) {
      std::sort(column.begin(), column.end());
    }
    const auto first = column.begin() + static_cast<std::ptrdiff_t>(cut);
    const auto last = column.end() - static_cast<std::ptrdiff_t>(cut);
    out[i] = static_cast<float>(std::accumulate(first, last, 0.0) / total);
  }
  return std::move(out);
}

}  // namespace tutti::aggregate

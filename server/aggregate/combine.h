// From the groups' mean updates to one update: their weighted mean, or per value the trimmed mean
// or the median, which a minority of spoiled groups cannot move far. Thread safety: value types and
// pure functions. Source of the rules: Yin, Chen, Ramchandran, Bartlett 2018 (arXiv:1803.01498);
// what they cost: docs/privacy.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/status.h"

namespace tutti::aggregate {

enum class Combination : std::uint8_t { kMean, kTrimmedMean, kMedian };

struct CombinationRule {
  Combination kind = Combination::kMean;
  double trim = 0;  // trimmed mean: share of the groups left out at each end, above 0, below 0.5
};

// The fewest groups the rule means anything for: with two, neither median nor trimmed mean can tell
// which one is wrong.
std::uint32_t GroupsNeeded(const CombinationRule& rule);

// How many of `groups` values the rule leaves out at each end: none for the mean; for the trimmed
// mean trim * groups rounded up, but so that at least one value stays; for the median all but the
// middle one or two.
std::size_t LeftOutAtEachEnd(const CombinationRule& rule, std::size_t groups);

struct GroupMean {
  std::vector<float> values;
  std::uint64_t weight = 0;  // of the group's members together, above 0
};

// One value for each place. The mean weighs groups by `weight`; for trimmed mean and median every
// group counts once, whatever its weight. Sums in double. One group is its own combination under
// every rule. InvalidArgument without groups, for groups of different length, of weight 0, or a
// trim out of range.
StatusOr<std::vector<float>> Combine(std::vector<GroupMean> groups, const CombinationRule& rule);

}  // namespace tutti::aggregate

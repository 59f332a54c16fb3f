// How a model treats groups of people: rates of each group and the gaps between them, from counts
// of (group, label, prediction) that may carry privacy noise. Thread safety: value types and pure
// functions. Criteria: Hardt, Price, Srebro 2016, Definitions 2.1 and 2.2; demographic parity:
// Dwork et al. 2012.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/measure/estimate.h"

namespace tutti::measure {

struct GroupRates {
  Count examples;
  Estimate selection;  // share with a positive prediction
  Estimate tpr;        // true positives: the same among positive labels
  Estimate fpr;        // false positives: among negative labels
  Estimate accuracy;
};

// `outcomes` row major {groups, 2 labels, 2 predictions}, 1 the positive class; with noise negative
// numbers are possible. `noise_stddevs` as long, of each of them; or one for all. InvalidArgument
// when the sizes do not fit.
StatusOr<std::vector<GroupRates>> RatesOf(std::span<const std::int64_t> outcomes,
                                          std::span<const double> noise_stddevs);
StatusOr<std::vector<GroupRates>> RatesOf(std::span<const std::int64_t> outcomes,
                                          double noise_stddev);

// The same of one group, {label, prediction}.
GroupRates RatesOfGroup(const Count (&outcomes)[2][2]);

enum class Criterion { kDemographicParity, kEqualOpportunity, kEqualisedOdds };
// Of the words of fairness.criterion. InvalidArgument: unknown.
StatusOr<Criterion> CriterionOf(std::string_view word);

// The largest difference of a rate between two groups. With probability 95 % the true one is within
// [low, high]: simultaneous intervals of all pairs and rates (Bonferroni).
struct Gap {
  Estimate estimate;                // value in [0, 1], of the two groups that differ most
  double low = 0, high = 1;         // 1 too while the rate of any group is not known
  std::size_t favoured = 0;         // the group of the higher rate, and of the lower one
  std::size_t other = 0;            // both 0 when not known
  bool of_false_positives = false;  // equalised odds: whether it is the gap of fpr, not of tpr
};

// kDemographicParity: of selection; kEqualOpportunity: of tpr; kEqualisedOdds: the larger of those
// of tpr and fpr.
Gap GapOf(std::span<const GroupRates> rates, Criterion criterion);

}  // namespace tutti::measure

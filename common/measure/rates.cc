#include "common/measure/rates.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"

namespace tutti::measure {
namespace {

using RateOf = Estimate GroupRates::*;

// Widens `gap` by the pairs of groups that differ in one rate.
void Compare(std::span<const GroupRates> rates, RateOf rate, double z, Gap& gap) {
  for (std::size_t a = 0; a < rates.size(); ++a) {
    for (std::size_t b = 0; b < rates.size(); ++b) {
      if (a == b) continue;
      const Estimate difference = Difference(rates[a].*rate, rates[b].*rate);
      if (!difference.known() || difference.value < 0) continue;
      const double width = z * difference.stddev();
      gap.low = std::max(gap.low, difference.value - width);
      gap.high = std::max(gap.high, std::min(1.0, difference.value + width));
      if (gap.estimate.known() && difference.value <= gap.estimate.value) continue;
      gap.estimate = difference;
      gap.favoured = a;
      gap.other = b;
      gap.of_false_positives = rate == &GroupRates::fpr;
    }
  }
}

}  // namespace

GroupRates RatesOfGroup(const Count (&outcomes)[2][2]) {
  const Count &true_negative = outcomes[0][0], &false_positive = outcomes[0][1];
  const Count &false_negative = outcomes[1][0], &true_positive = outcomes[1][1];
  return {.examples = true_negative + false_positive + false_negative + true_positive,
          .selection = ShareOf(true_positive + false_positive, true_negative + false_negative),
          .tpr = ShareOf(true_positive, false_negative),
          .fpr = ShareOf(false_positive, true_negative),
          .accuracy = ShareOf(true_positive + true_negative, false_positive + false_negative)};
}

StatusOr<std::vector<GroupRates>> RatesOf(std::span<const std::int64_t> outcomes,
                                          std::span<const double> noise_stddevs) {
  constexpr std::size_t kCells = 4;  // of one group
  if (outcomes.size() % kCells != 0 || noise_stddevs.size() != outcomes.size()) {
    return InvalidArgument(Join("found ", outcomes.size(), " outcomes and ", noise_stddevs.size(),
                                " standard deviations, expected 4 of each for every group"));
  }
  std::vector<GroupRates> rates;
  for (std::size_t first = 0; first < outcomes.size(); first += kCells) {
    Count cells[2][2];
    for (std::size_t i = 0; i < kCells; ++i) {
      cells[i / 2][i % 2] = {static_cast<double>(outcomes[first + i]), noise_stddevs[first + i]};
    }
    rates.push_back(RatesOfGroup(cells));
  }
  return rates;
}

StatusOr<std::vector<GroupRates>> RatesOf(std::span<const std::int64_t> outcomes,
                                          double noise_stddev) {
  return RatesOf(outcomes, std::vector<double>(outcomes.size(), noise_stddev));
}

StatusOr<Criterion> CriterionOf(std::string_view word) {
  if (word == "demographic_parity") return Criterion::kDemographicParity;
  if (word == "equal_opportunity") return Criterion::kEqualOpportunity;
  if (word == "equalised_odds") return Criterion::kEqualisedOdds;
  return InvalidArgument(
      Join("fairness.criterion is \"", Escaped(word, 40),
           "\", expected demographic_parity, equal_opportunity or equalised_odds"));
}

Gap GapOf(std::span<const GroupRates> rates, Criterion criterion) {
  std::vector<RateOf> compared;
  if (criterion == Criterion::kDemographicParity) compared = {&GroupRates::selection};
  if (criterion == Criterion::kEqualOpportunity) compared = {&GroupRates::tpr};
  if (criterion == Criterion::kEqualisedOdds) compared = {&GroupRates::tpr, &GroupRates::fpr};
  const auto groups = static_cast<double>(rates.size());
  const double pairs = groups * (groups - 1) / 2 * static_cast<double>(compared.size());
  const double z = pairs < 1 ? kTwoSided95 : TwoSidedQuantile(0.05 / pairs);
  Gap gap;
  gap.high = 0;
  bool all_known = true;
  for (const RateOf rate : compared) {
    Compare(rates, rate, z, gap);
    for (const GroupRates& group : rates) all_known &= (group.*rate).known();
  }
  if (!all_known || !gap.estimate.known()) gap.high = 1;
  return gap;
}

}  // namespace tutti::measure

#include "server/aggregate/fairness.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/measure/estimate.h"
#include "common/measure/tilts.h"

namespace tutti::aggregate {
namespace {

using measure::Count;
using measure::Estimate;
using measure::FairRule;

// {groups, 2 labels, 2 predictions} with noise of `stddev` on each.
struct Outcomes {
  std::vector<double> counts;
  double stddev = 0;

  std::size_t groups() const { return counts.size() / 4; }
  Count Of(std::size_t group, int label, int prediction) const {
    return {counts[4 * group + static_cast<std::size_t>(2 * label + prediction)], stddev};
  }
  double Size(std::size_t group, int label) const {
    return std::max(0.0, Of(group, label, 0).value + Of(group, label, 1).value);
  }
  double Total() const {
    double total = 0;
    for (std::size_t g = 0; g < groups(); ++g) total += Size(g, 0) + Size(g, 1);
    return total;
  }
};

// A group's examples of a set of labels.
struct Rate {
  double size = 0;
  Estimate positive;  // not known: nothing can be said of it
};

Rate RateOf(const Outcomes& outcomes, std::size_t group, std::span<const int> labels) {
  Count positive, negative;
  for (const int label : labels) {
    positive = positive + outcomes.Of(group, label, 1);
    negative = negative + outcomes.Of(group, label, 0);
  }
  return {(positive + negative).value, ShareOf(positive, negative)};
}

std::vector<Rate> RatesOf(const Outcomes& outcomes, std::span<const int> labels) {
  std::vector<Rate> rates;
  for (std::size_t g = 0; g < outcomes.groups(); ++g) rates.push_back(RateOf(outcomes, g, labels));
  return rates;
}

// A gap as a weighted sum of the rates; all 0 when there is nothing to compare.
using Gap = std::vector<double>;

std::vector<Gap> GapsOf(const std::vector<Rate>& rates) {
  const auto seen = std::count_if(rates.begin(), rates.end(),
                                  [](const Rate& rate) { return rate.positive.known(); });
  const std::size_t count = rates.size() == 2 ? 1 : rates.size();
  std::vector<Gap> gaps(count, Gap(rates.size(), 0.0));
  if (seen < 2) return gaps;
  if (rates.size() == 2) return {{1.0, -1.0}};
  double all = 0;
  for (const Rate& rate : rates) all += rate.positive.known() ? rate.size : 0;
  for (std::size_t k = 0; k < count; ++k) {
    if (!rates[k].positive.known()) continue;
    for (std::size_t g = 0; g < rates.size(); ++g) {
      if (rates[g].positive.known()) gaps[k][g] = (g == k ? 1.0 : 0.0) - rates[g].size / all;
    }
  }
  return gaps;
}

double SizeOf(const Gap& gap, const std::vector<Rate>& rates) {
  double size = 0;
  for (std::size_t g = 0; g < rates.size(); ++g) {
    if (gap[g] != 0) size += gap[g] * rates[g].positive.value;
  }
  return size;
}

bool IsCompared(const Gap& gap) {
  return std::any_of(gap.begin(), gap.end(), [](double part) { return part != 0; });
}

// The two dual variables of a gap, for D <= tolerance and -D <= tolerance.
void Ascend(double gap, double step, double tolerance, std::span<double> pair) {
  pair[0] = std::clamp(pair[0] + step * (gap - tolerance), 0.0, kMaxDual);
  pair[1] = std::clamp(pair[1] + step * (-gap - tolerance), 0.0, kMaxDual);
}

std::size_t DualsOf(const v1::FairnessSpec& fairness) {
  if (measure::FairRuleOf(fairness) != FairRule::kConstraint) return 0;
  const auto groups = static_cast<std::size_t>(fairness.groups_size());
  return 2 * measure::LabelSets(fairness).size() * (groups == 2 ? 1 : groups);
}

std::vector<double> GapTilts(const v1::FairnessSpec& fairness, double strength,
                             const Outcomes& outcomes, std::span<double> duals) {
  std::vector<double> tilts(2 * outcomes.groups());
  const double total = outcomes.Total();
  for (const std::vector<int>& labels : measure::LabelSets(fairness)) {
    const std::vector<Rate> rates = RatesOf(outcomes, labels);
    for (const Gap& gap : GapsOf(rates)) {
      double pull = strength * SizeOf(gap, rates);
      if (!duals.empty()) {
        const std::span<double> pair = duals.first(2);
        duals = duals.subspan(2);
        if (IsCompared(gap)) Ascend(SizeOf(gap, rates), strength, fairness.tolerance(), pair);
        pull = pair[0] - pair[1];
      }
      for (std::size_t g = 0; g < rates.size(); ++g) {
        if (gap[g] == 0) continue;
        for (const int label : labels) {
          tilts[2 * g + static_cast<std::size_t>(label)] += pull * gap[g] * total / rates[g].size;
        }
      }
    }
  }
  double largest = 0;
  for (const double tilt : tilts) largest = std::max(largest, std::abs(tilt));
  if (largest > measure::kMaxTilt) {
    for (double& tilt : tilts) tilt *= measure::kMaxTilt / largest;
  }
  for (double& tilt : tilts) tilt = std::clamp(tilt, -measure::kMaxTilt, measure::kMaxTilt);
  return tilts;
}

std::vector<double> Weights(const Outcomes& outcomes) {
  std::vector<double> weights(2 * outcomes.groups(), 1.0);
  const double total = outcomes.Total();
  for (int label = 0; label < 2; ++label) {
    double of_label = 0;
    for (std::size_t g = 0; g < outcomes.groups(); ++g) of_label += outcomes.Size(g, label);
    for (std::size_t g = 0; g < outcomes.groups(); ++g) {
      const Rate cell = RateOf(outcomes, g, std::span(&label, 1));
      if (!cell.positive.known()) continue;
      const double of_group = outcomes.Size(g, 0) + outcomes.Size(g, 1);
      weights[2 * g + static_cast<std::size_t>(label)] = std::clamp(
          of_group * of_label / (total * cell.size), measure::kMinFactor, measure::kMaxFactor);
    }
  }
  return weights;
}

// `weights` on the way from 1.
void Ramp(double ramp, std::vector<double>& weights) {
  for (double& weight : weights) {
    weight = std::clamp(1 + ramp * (weight - 1), measure::kMinFactor, measure::kMaxFactor);
  }
}

// With noise the outcomes of the rounds so far are averaged, newer ones more; `memory` keeps the
// averages and, last, the variance of their noise in units of one round's.
Outcomes Smoothed(std::span<const std::int64_t> outcomes, double noise_stddev,
                  std::span<double> memory) {
  Outcomes result{{outcomes.begin(), outcomes.end()}, noise_stddev};
  if (memory.empty()) return result;
  double& variance = memory.back();
  // 1, 1/2, 1/3, ... until it is the share of the new in a running average.
  const double fresh = variance <= 0 ? 1 : std::max(1 - kSmoothing, variance / (1 + variance));
  variance = fresh * fresh + (1 - fresh) * (1 - fresh) * variance;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    memory[i] += fresh * (result.counts[i] - memory[i]);
    result.counts[i] = memory[i];
  }
  result.stddev *= std::sqrt(variance);
  return result;
}

Status CheckSizes(const v1::FairnessSpec& fairness, std::span<const std::int64_t> outcomes,
                  double noise_stddev, std::span<const double> dual, std::size_t wanted) {
  const auto lanes = 4 * static_cast<std::size_t>(fairness.groups_size());
  if (outcomes.size() != lanes || lanes == 0) {
    return InvalidArgument(
        Join("the round has ", outcomes.size(), " outcomes, the task's groups have ", lanes));
  }
  if (!(noise_stddev >= 0) || !std::isfinite(noise_stddev)) {
    return InvalidArgument(Join("the noise on outcomes has a standard deviation of ", noise_stddev,
                                ", expected a finite number of at least 0"));
  }
  if (!dual.empty() && dual.size() != wanted) {
    return InvalidArgument(
        Join("the checkpoint has ", dual.size(), " dual variables, expected ", wanted));
  }
  if (!std::all_of(dual.begin(), dual.end(), [](double value) { return std::isfinite(value); })) {
    return InvalidArgument("a dual variable of the checkpoint is not finite");
  }
  return OkStatus();
}

}  // namespace

StatusOr<FairnessStep> NextFairness(const v1::TaskSpec& task, std::uint64_t round,
                                    std::span<const std::int64_t> outcomes, double noise_stddev,
                                    std::span<const double> dual) {
  const v1::FairnessSpec& fairness = task.fairness();
  const FairRule rule = measure::FairRuleOf(fairness);
  if (rule == FairRule::kNone) return FairnessStep();
  const std::size_t duals = DualsOf(fairness);
  const std::size_t smoothed = noise_stddev > 0 ? outcomes.size() + 1 : 0;
  TUTTI_TRY(CheckSizes(fairness, outcomes, noise_stddev, dual, duals + smoothed));
  FairnessStep step;
  step.dual.assign(dual.begin(), dual.end());
  step.dual.resize(duals + smoothed);
  const std::span<double> memory(step.dual);
  const Outcomes seen = Smoothed(outcomes, noise_stddev, memory.subspan(duals));
  const double ramp =
      round >= fairness.ramp_rounds()
          ? 1.0
          : static_cast<double>(round) / static_cast<double>(fairness.ramp_rounds());
  if (rule == FairRule::kReweigh) {
    step.tilts = Weights(seen);
    Ramp(ramp, step.tilts);
  } else {
    step.tilts = GapTilts(fairness, ramp * fairness.strength(), seen, memory.first(duals));
  }
  return step;
}

}  // namespace tutti::aggregate

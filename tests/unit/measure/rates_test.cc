#include "common/measure/rates.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/catch.h"

namespace tutti::measure {
namespace {

using Counts = std::vector<std::int64_t>;

// {label 0: predicted 0, 1; label 1: predicted 0, 1} of each group.
const Counts kTwoGroups{40, 10, 5,  45,   // selection 0.55, tpr 0.9, fpr 0.2, accuracy 0.85
                        30, 30, 20, 20};  // selection 0.5, tpr 0.5, fpr 0.5, accuracy 0.5

TEST_CASE("rates are what they are called", "[rates]") {
  const auto rates = RatesOf(kTwoGroups, 0);
  REQUIRE(rates.ok());
  REQUIRE(rates->size() == 2);
  REQUIRE(rates->at(0).examples.value == 100);
  REQUIRE(rates->at(0).selection.value == Approx(0.55));
  REQUIRE(rates->at(0).tpr.value == Approx(0.9));
  REQUIRE(rates->at(0).fpr.value == Approx(0.2));
  REQUIRE(rates->at(0).accuracy.value == Approx(0.85));
  REQUIRE(rates->at(1).selection.value == Approx(0.5));
  REQUIRE(rates->at(1).fpr.noise_stddev == 0);
}

TEST_CASE("gaps compare what the criterion says", "[rates]") {
  const auto rates = RatesOf(kTwoGroups, 0);
  const Gap parity = GapOf(*rates, Criterion::kDemographicParity);
  REQUIRE(parity.estimate.value == Approx(0.05));
  REQUIRE(parity.favoured == 0);
  REQUIRE(parity.other == 1);
  REQUIRE(parity.low == 0);
  REQUIRE(parity.high > 0.1);
  const Gap opportunity = GapOf(*rates, Criterion::kEqualOpportunity);
  REQUIRE(opportunity.estimate.value == Approx(0.4));
  REQUIRE(opportunity.low > 0.1);
  REQUIRE(!opportunity.of_false_positives);
  const Gap odds = GapOf(*rates, Criterion::kEqualisedOdds);
  REQUIRE(odds.estimate.value == Approx(0.4));
  // Two rates are looked at, so that each interval has to be wider.
  REQUIRE(odds.high > opportunity.high);
}

TEST_CASE("equalised odds sees a gap of false positives", "[rates]") {
  const Counts counts{90, 10, 20, 80, 10, 90, 20, 80};
  const Gap gap = GapOf(*RatesOf(counts, 0), Criterion::kEqualisedOdds);
  REQUIRE(gap.of_false_positives);
  REQUIRE(gap.favoured == 1);
  REQUIRE(gap.estimate.value == Approx(0.8));
}

TEST_CASE("what was not counted is not known, and a gap with it may be anything", "[rates]") {
  const Counts counts{40, 10, 5, 45, 30, 30, 0, 0};
  const auto rates = RatesOf(counts, 0);
  REQUIRE(!rates->at(1).tpr.known());
  REQUIRE(rates->at(1).tpr.half_width() == 0);
  REQUIRE(rates->at(1).fpr.known());
  const Gap gap = GapOf(*rates, Criterion::kEqualOpportunity);
  REQUIRE(!gap.estimate.known());
  REQUIRE(gap.low == 0);
  REQUIRE(gap.high == 1);
  REQUIRE(GapOf(*rates, Criterion::kEqualisedOdds).high == 1);
  REQUIRE(GapOf({}, Criterion::kDemographicParity).high == 1);
}

TEST_CASE("counts that drown in noise give no rate, and negative ones no rate below 0", "[rates]") {
  const Counts counts{40, -10, 5, 45};
  REQUIRE(!RatesOf(counts, 20)->at(0).selection.known());
  const auto rates = RatesOf(counts, 3);
  REQUIRE(rates->at(0).fpr.value == 0);
  REQUIRE(rates->at(0).fpr.half_width() > 0.05);
}

TEST_CASE("noise that is larger than the sample's own doubt is said to dominate", "[rates]") {
  REQUIRE(!RatesOf(kTwoGroups, 1)->at(0).accuracy.noise_dominates());
  REQUIRE(RatesOf(kTwoGroups, 10)->at(0).accuracy.noise_dominates());
}

TEST_CASE("sizes and words that do not fit are refused", "[rates]") {
  REQUIRE(RatesOf(Counts{1, 2, 3}, 0).status().code() == StatusCode::kInvalidArgument);
  const std::vector<double> two(2, 1.0);
  REQUIRE(!RatesOf(Counts{1, 2, 3, 4}, two).ok());
  REQUIRE(CriterionOf("equal_opportunity").value() == Criterion::kEqualOpportunity);
  REQUIRE(MessageOf(CriterionOf("odd").status()) ==
          "fairness.criterion is \"odd\", expected demographic_parity, equal_opportunity or "
          "equalised_odds");
}

TEST_CASE("quantiles of the normal distribution", "[rates]") {
  REQUIRE(TwoSidedQuantile(0.05) == Approx(kTwoSided95).epsilon(1e-9));
  REQUIRE(TwoSidedQuantile(0.01) == Approx(2.5758293035489).epsilon(1e-9));
}

// How often the interval of a share holds the true one: the tables of many made-up populations.
double Coverage(double truth, int examples, double noise, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::binomial_distribution<std::int64_t> draw(examples, truth);
  std::normal_distribution<double> gauss(0, noise > 0 ? noise : 1);
  const auto noised = [&](std::int64_t count) {
    return Count{static_cast<double>(count) + (noise > 0 ? std::round(gauss(random)) : 0), noise};
  };
  constexpr int kTrials = 4000;
  int held = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::int64_t part = draw(random);
    const Estimate share = ShareOf(noised(part), noised(examples - part));
    held += !share.known() || std::abs(share.value - truth) <= share.half_width() ? 1 : 0;
  }
  return static_cast<double>(held) / kTrials;
}

TEST_CASE("95 % intervals hold the true share at least 94 % of the time", "[rates]") {
  // 4000 trials of a 95 % event give less than 94 % with probability 0.002.
  for (const double truth : {0.001, 0.02, 0.3, 0.5, 0.97}) {
    for (const int examples : {30, 300, 3000}) {
      for (const double noise : {0.0, 3.0, 30.0}) {
        CAPTURE(truth, examples, noise);
        REQUIRE(Coverage(truth, examples, noise, 7) >= 0.94);
      }
    }
  }
}

TEST_CASE("95 % intervals of a gap over three groups hold the true gap", "[rates]") {
  std::mt19937_64 random(11);
  std::normal_distribution<double> gauss(0, 5);
  const double selected[] = {0.5, 0.42, 0.45};
  constexpr int kTrials = 3000;
  int held = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Counts counts;
    for (const double rate : selected) {
      std::binomial_distribution<std::int64_t> draw(400, rate);
      const std::int64_t positive = draw(random);
      for (const std::int64_t count : {400 - positive, positive, std::int64_t{0}, std::int64_t{0}})
        counts.push_back(count + std::llround(gauss(random)));
    }
    const Gap gap = GapOf(*RatesOf(counts, 5), Criterion::kDemographicParity);
    held += gap.low <= 0.08 && 0.08 <= gap.high ? 1 : 0;
  }
  REQUIRE(held >= kTrials * 0.95);
}

}  // namespace
}  // namespace tutti::measure

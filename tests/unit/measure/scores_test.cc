#include "common/measure/scores.h"

#include <cmath>
#include <random>

#include "common/measure/evaluation.h"
#include "tests/catch.h"

namespace tutti::measure {
namespace {

// Scores of a model on examples of a class and on others.
struct Scores {
  std::vector<double> others, members;
};

// Odds normally distributed around -shift and shift.
Scores Drawn(double shift, double spread, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, spread);
  Scores scores;
  for (std::size_t i = 0; i < count; ++i) {
    scores.others.push_back(1 / (1 + std::exp(shift - normal(random))));
    if (i % 4 == 0) scores.members.push_back(1 / (1 + std::exp(-shift - normal(random))));
  }
  return scores;
}

double ExactArea(const Scores& scores) {
  double won = 0;
  for (const double member : scores.members) {
    for (const double other : scores.others) {
      won += member > other ? 1 : member == other ? 0.5 : 0;
    }
  }
  return won / static_cast<double>(scores.members.size() * scores.others.size());
}

std::vector<Count> Binned(const std::vector<double>& scores, std::uint32_t bins) {
  std::vector<Count> counts(bins);
  for (const double score : scores) counts[ScoreBin(std::log(score), bins)].value += 1;
  return counts;
}

Roc RocOfBins(const Scores& scores, std::uint32_t bins) {
  return RocOf(Binned(scores.others, bins), Binned(scores.members, bins));
}

TEST_CASE("the area under the curve is that of all scores, within what binning can hide",
          "[measure]") {
  for (const double shift : {0.0, 0.2, 1.0, 3.0, 10.0}) {
    for (const double spread : {0.3, 1.0, 4.0}) {
      for (const std::uint32_t bins : {2U, 20U, 200U}) {
        const Scores scores = Drawn(shift, spread, 800, 3);
        const Roc roc = RocOfBins(scores, bins);
        CAPTURE(shift, spread, bins);
        REQUIRE(std::abs(roc.auc.value - ExactArea(scores)) <= roc.binning + 1e-12);
        if (bins == 200) REQUIRE(roc.binning < 0.02);
        if (bins == 20) REQUIRE(std::abs(roc.auc.value - ExactArea(scores)) < 0.02);
      }
    }
  }
}

TEST_CASE("areas that can be said without counting", "[measure]") {
  REQUIRE(RocOf(std::vector<Count>{{5}, {0}}, std::vector<Count>{{0}, {7}}).auc.value == 1);
  REQUIRE(RocOf(std::vector<Count>{{0}, {5}}, std::vector<Count>{{7}, {0}}).auc.value == 0);
  const Roc half = RocOf(std::vector<Count>{{5}}, std::vector<Count>{{7}});
  REQUIRE(half.auc.value == 0.5);
  REQUIRE(half.binning == 0.5);
  REQUIRE(!RocOf(std::vector<Count>{{5}}, std::vector<Count>{{0}}).auc.known());
}

TEST_CASE("the doubt of an area covers sample and noise", "[measure]") {
  // The area of this population: P(Z > -2 * shift / (sqrt(2) * spread)) for a standard normal Z.
  const double truth = 0.5 * std::erfc(-std::sqrt(2.0) * 0.5 / std::sqrt(2.0));
  std::mt19937_64 random(17);
  for (const double noise : {0.0, 2.0}) {
    std::normal_distribution<double> gauss(0, std::max(noise, 1e-9));
    int held = 0;
    constexpr int kTrials = 400;
    for (int trial = 0; trial < kTrials; ++trial) {
      const Scores scores = Drawn(0.5, 1, 600, 1000 + static_cast<std::uint64_t>(trial));
      std::vector<Count> others = Binned(scores.others, 40), members = Binned(scores.members, 40);
      for (auto* counts : {&others, &members}) {
        for (Count& count : *counts) count = {count.value + gauss(random), noise};
      }
      const Roc roc = RocOf(others, members);
      held += std::abs(roc.auc.value - truth) <= roc.auc.half_width() ? 1 : 0;
    }
    CAPTURE(noise);
    // 400 trials of a 95 % event give less than 92 % with probability 0.004.
    REQUIRE(held >= kTrials * 0.92);
  }
}

struct Counted {
  std::vector<Count> counts, confidence;
};

// Examples of two classes at given confidences, right by chance with `honest` of it.
Counted Predictions(double overconfidence, std::size_t examples, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  Counted counted{std::vector<Count>(20), std::vector<Count>(10)};
  for (std::size_t i = 0; i < examples; ++i) {
    const double confidence = 0.55 + 0.44 * uniform(random);
    const ConfidencePlace place = ConfidenceBin(confidence, 2, 10);
    counted.counts[2 * place.bin].value += 1;
    counted.counts[2 * place.bin + 1].value +=
        uniform(random) < confidence - overconfidence ? 1 : 0;
    counted.confidence[place.bin].value += place.above;
  }
  return counted;
}

TEST_CASE("a model that promises too much has that much calibration error", "[measure]") {
  const Counted counted = Predictions(0.1, 20000, 2);
  const Calibration calibration = CalibrationOf(counted.counts, counted.confidence, 2);
  REQUIRE(calibration.error.value == Approx(0.1).margin(0.01));
  REQUIRE(calibration.floor < 0.01);
  REQUIRE(calibration.bins[5].confidence == Approx(0.775).margin(0.01));
  REQUIRE(calibration.bins[5].accuracy.value == Approx(0.675).margin(0.05));
}

TEST_CASE("the error of a calibrated model is what chance and noise make of it", "[measure]") {
  double error = 0, floor = 0;
  std::mt19937_64 random(23);
  std::normal_distribution<double> gauss(0, 1);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Counted counted = Predictions(0, 2000, seed);
    for (Count& count : counted.counts) count = {count.value + 5 * gauss(random), 5};
    for (Count& count : counted.confidence) count = {count.value + 5 * gauss(random), 5};
    const Calibration calibration = CalibrationOf(counted.counts, counted.confidence, 2);
    error += calibration.error.value / 50;
    floor += calibration.floor / 50;
  }
  REQUIRE(error == Approx(floor).epsilon(0.1));
}

TEST_CASE("calibration of nothing is not known", "[measure]") {
  const Calibration calibration = CalibrationOf(std::vector<Count>(20), std::vector<Count>(10), 2);
  REQUIRE(!calibration.error.known());
}

}  // namespace
}  // namespace tutti::measure

#include "common/measure/tally.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/measure/groups.h"

namespace tutti::measure {
namespace {

// Sums of fractions are whole numbers of 1/2^20 of a unit until they are read: neither the order of
// the examples nor rounding moves them, and one example changes what is read by no more than the
// most it can add.
constexpr std::uint64_t kFine = 1 << 20;
constexpr std::array kFractions{kConfidence, kLoss, kAbsoluteError, kSquaredError};

}  // namespace

EvaluationTally::EvaluationTally(EvaluationShape shape, CountLayout layout)
    : shape_(shape), layout_(std::move(layout)), lanes_(layout_.lanes()) {}

StatusOr<EvaluationTally> EvaluationTally::Create(const v1::TaskSpec& task) {
  TUTTI_ASSIGN(const EvaluationShape shape, EvaluationShapeOf(task));
  TUTTI_ASSIGN(CountLayout layout, EvaluationLayout(task));
  return EvaluationTally(shape, std::move(layout));
}

std::span<std::uint64_t> EvaluationTally::LanesOf(std::string_view name) {
  return Of(layout_, name, std::span(lanes_));
}

void EvaluationTally::AddFine(std::span<std::uint64_t> lanes, std::size_t lane, double units) {
  lanes[lane] += static_cast<std::uint64_t>(std::llround(units * static_cast<double>(kFine)));
}

void EvaluationTally::Add(std::uint32_t label, std::span<const float> log_probabilities,
                          std::uint32_t group) {
  const auto top = std::max_element(log_probabilities.begin(), log_probabilities.end());
  const auto predicted = static_cast<std::uint32_t>(top - log_probabilities.begin());
  const std::uint32_t row = std::min(group, shape_.rows - 1);
  const bool right = predicted == label;
  ++examples_;
  correct_ += right ? 1 : 0;
  const double loss = std::clamp(-double{log_probabilities[label]}, 0.0, shape_.most_loss);
  AddFine(LanesOf(kLoss), 0, loss * kLossUnits);
  if (shape_.beside_training) {
    ++LanesOf(kAnswers)[0];
    LanesOf(kAnswers)[1] += right ? 1 : 0;
    return;
  }
  ++LanesOf(kOutcomes)[(std::size_t{row} * shape_.classes + label) * shape_.classes + predicted];

  const std::span<std::uint64_t> scores = LanesOf(kScores);
  const std::size_t score_row = std::min(row, shape_.score_rows - 1);
  for (std::uint32_t i = 0; i < shape_.scored; ++i) {
    const std::uint32_t scored = shape_.classes == 2 ? 1 : i;
    const std::uint32_t bin = ScoreBin(std::min(0.0F, log_probabilities[scored]), shape_.bins);
    const std::size_t side = scored == label ? 1 : 0;
    ++scores[((score_row * shape_.scored + i) * 2 + side) * shape_.bins + bin];
  }

  const auto [bin, above] = ConfidenceBin(std::exp(double{*top}), shape_.classes, shape_.bins);
  ++LanesOf(kCalibration)[2 * bin];
  LanesOf(kCalibration)[2 * bin + 1] += right ? 1 : 0;
  AddFine(LanesOf(kConfidence), bin, above * kConfidenceUnits);
}

void EvaluationTally::AddRobust(std::uint64_t examples, std::uint64_t correct) {
  const std::span<std::uint64_t> lanes = LanesOf(kRobust);
  lanes[0] += examples;
  lanes[1] += correct;
}

void EvaluationTally::AddNumber(double predicted, double target) {
  const double error = std::abs(predicted - target) / shape_.clip;
  const double clipped = std::min(error, 1.0);
  ++examples_;
  ++LanesOf(kErrors)[0];
  LanesOf(kErrors)[1] += error > 1 ? 1 : 0;
  AddFine(LanesOf(kAbsoluteError), 0, clipped * kErrorUnits);
  AddFine(LanesOf(kSquaredError), 0, clipped * clipped * kErrorUnits);
}

std::vector<std::uint64_t> EvaluationTally::Counts() const {
  std::vector<std::uint64_t> counts = lanes_;
  for (const std::string_view name : kFractions) {
    for (std::uint64_t& lane : Of(layout_, name, std::span(counts))) {
      lane = (lane + kFine / 2) / kFine;
    }
  }
  if (examples_ == 0 || !shape_.spread) return counts;
  std::uint64_t bin = correct_ * shape_.bins / examples_;
  if (shape_.number) {
    const auto sum = static_cast<double>(Of(layout_, kAbsoluteError, std::span(lanes_))[0]);
    const double most = static_cast<double>(examples_) * kErrorUnits * kFine;
    bin = static_cast<std::uint64_t>(sum / most * shape_.bins);
  }
  ++Of(layout_, kClients, std::span(counts))[std::min<std::uint64_t>(bin, shape_.bins - 1)];
  return counts;
}

}  // namespace tutti::measure

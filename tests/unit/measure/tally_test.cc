#include "common/measure/tally.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "common/measure/groups.h"
#include "tests/catch.h"
#include "tests/unit/measure/evaluate_tasks.h"

namespace tutti::measure {
namespace {

struct Example {
  std::uint32_t label = 0, group = 0;
  std::vector<float> log_probabilities{};
  bool robust = false;
  double predicted = 0, target = 0;
};

Example Random(std::mt19937_64& random, std::uint32_t classes) {
  std::uniform_real_distribution<double> uniform(0, 1);
  Example example{.label = static_cast<std::uint32_t>(random() % classes),
                  .group = static_cast<std::uint32_t>(random() % 3),
                  .robust = random() % 2 == 0,
                  .predicted = 10 * uniform(random) - 5,
                  .target = 10 * uniform(random) - 5};
  // Sure and unsure models alike, some certain of what is wrong.
  const double sharpness = std::pow(10.0, 3 * uniform(random) - 1);
  std::vector<double> logits;
  double sum = 0;
  for (std::uint32_t i = 0; i < classes; ++i) {
    logits.push_back(sharpness * uniform(random));
    sum += std::exp(logits.back());
  }
  for (const double logit : logits) {
    example.log_probabilities.push_back(static_cast<float>(logit - std::log(sum)));
  }
  return example;
}

std::vector<std::uint64_t> CountsOf(const v1::TaskSpec& task,
                                    const std::vector<Example>& examples) {
  auto tally = EvaluationTally::Create(task);
  REQUIRE(tally.ok());
  for (const Example& example : examples) {
    if (tally->shape().number) {
      tally->AddNumber(example.predicted, example.target);
      continue;
    }
    tally->Add(example.label, example.log_probabilities, example.group);
    if (tally->shape().robust) tally->AddRobust(1, example.robust ? 1 : 0);
  }
  return tally->Counts();
}

std::vector<Example> Some(std::uint64_t seed, std::size_t count, std::uint32_t classes) {
  std::mt19937_64 random(seed);
  std::vector<Example> examples;
  for (std::size_t i = 0; i < count; ++i) examples.push_back(Random(random, classes));
  return examples;
}

std::uint64_t Sum(const CountLayout& layout, std::string_view name,
                  std::span<const std::uint64_t> counts) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : Of(layout, name, counts)) sum += count;
  return sum;
}

TEST_CASE("one example more or less changes no family by more than it says", "[measure]") {
  const std::vector<v1::TaskSpec> tasks{WithAdversary(WithGroups(EvaluateTask(2, 20))),
                                        WithAdversary(EvaluateTask(2, 2)),
                                        WithGroups(EvaluateTask(7, 13)),
                                        EvaluateTask(10, 200),
                                        EvaluateTask(1, 20),
                                        WithAdversary(ValidateTask(2)),
                                        ValidateTask(10),
                                        ValidateTask(1),
                                        ValidateTask(3, false)};
  for (const v1::TaskSpec& task : tasks) {
    const CountLayout layout = *LayoutOf(task);
    std::vector<double> largest(layout.families.size());
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      std::vector<Example> examples = Some(seed, 1 + seed % 40, task.model().classes());
      const std::vector<std::uint64_t> with = CountsOf(task, examples);
      examples.erase(examples.begin() + static_cast<std::ptrdiff_t>(seed % examples.size()));
      const std::vector<std::uint64_t> without = CountsOf(task, examples);
      for (std::size_t f = 0; f < layout.families.size(); ++f) {
        const auto place = layout.Find(layout.families[f].name);
        double squares = 0;
        for (std::uint64_t i = place.first; i < place.first + place.lanes; ++i) {
          squares += std::pow(static_cast<double>(with[i]) - static_cast<double>(without[i]), 2);
        }
        CAPTURE(layout.families[f].name, seed, task.model().classes());
        REQUIRE(std::sqrt(squares) <= layout.families[f].change * (1 + 1e-12));
        largest[f] = std::max(largest[f], std::sqrt(squares) / layout.families[f].change);
      }
    }
    // No family pays for more than its examples can do.
    for (std::size_t f = 0; f < largest.size(); ++f) {
      CAPTURE(layout.families[f].name);
      REQUIRE(largest[f] > 0.45);
    }
  }
}

TEST_CASE("counts are those of a plain loop over the examples", "[measure]") {
  const v1::TaskSpec task = WithGroups(EvaluateTask(2, 10));
  const CountLayout layout = *LayoutOf(task);
  const std::vector<Example> examples = Some(5, 200, 2);
  const std::vector<std::uint64_t> counts = CountsOf(task, examples);
  std::vector<std::uint64_t> outcomes(12);
  double loss = 0;
  std::uint64_t right = 0, positives_above_half = 0;
  for (const Example& example : examples) {
    const bool predicted = example.log_probabilities[1] > example.log_probabilities[0];
    ++outcomes[4 * example.group + 2 * example.label + (predicted ? 1 : 0)];
    loss += std::min(20.0, -static_cast<double>(example.log_probabilities[example.label]));
    right += (example.label == 1) == predicted ? 1 : 0;
    positives_above_half += example.label == 1 && predicted ? 1 : 0;
  }
  const auto found = Of(layout, kOutcomes, std::span(counts));
  REQUIRE(std::vector<std::uint64_t>(found.begin(), found.end()) == outcomes);
  REQUIRE(static_cast<double>(Sum(layout, kLoss, counts)) == Approx(100 * loss).margin(0.6));
  const auto clients = Of(layout, kClients, std::span(counts));
  REQUIRE(Sum(layout, kClients, counts) == 1);
  REQUIRE(clients[right * 10 / 200] == 1);
  const auto scores = Of(layout, kScores, std::span(counts));
  std::uint64_t upper = 0;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t bin = 5; bin < 10; ++bin) upper += scores[20 * row + 10 + bin];
  }
  REQUIRE(upper == positives_above_half);
  REQUIRE(Sum(layout, kScores, counts) == 200);
  const auto calibration = Of(layout, kCalibration, std::span(counts));
  std::uint64_t seen = 0, correct = 0;
  for (std::size_t bin = 0; bin < 10; ++bin) {
    seen += calibration[2 * bin];
    correct += calibration[2 * bin + 1];
  }
  REQUIRE(seen == 200);
  REQUIRE(correct == right);
}

TEST_CASE("beside training only answers and their loss are counted, which is bounded",
          "[measure]") {
  const v1::TaskSpec task = WithGroups(ValidateTask(4), 2);
  const CountLayout layout = *LayoutOf(task);
  REQUIRE(layout.families.size() == 3);
  REQUIRE(layout.families[0].name == kOutcomes);
  REQUIRE(layout.lanes() == 8 + 2 + 1);
  const std::vector<Example> examples = Some(7, 300, 4);
  const std::vector<std::uint64_t> counts = CountsOf(task, examples);
  REQUIRE(counts.size() == 3);  // the groups are counted elsewhere
  double loss = 0;
  std::uint64_t right = 0, bounded = 0;
  for (const Example& example : examples) {
    const auto& scores = example.log_probabilities;
    const double own = -static_cast<double>(scores[example.label]);
    loss += std::min(own, MostLoss(4));
    if (own > MostLoss(4)) ++bounded;
    const auto top = std::max_element(scores.begin(), scores.end()) - scores.begin();
    if (static_cast<std::uint32_t>(top) == example.label) ++right;
  }
  REQUIRE(bounded > 10);
  REQUIRE(MostLoss(4) == 2.77);
  REQUIRE(counts[0] == 300);
  REQUIRE(counts[1] == right);
  REQUIRE(static_cast<double>(counts[2]) == Approx(100 * loss).margin(0.6));
  v1::TaskSpec without = task;
  without.set_validation(false);
  REQUIRE(LayoutOf(without)->lanes() == 8);
  // Without privacy each client also says in which twentieth its accuracy lies.
  v1::TaskSpec open = ValidateTask(4, false);
  REQUIRE(LayoutOf(open)->lanes() == 3 + 20);
  const std::vector<std::uint64_t> more = CountsOf(open, examples);
  REQUIRE(std::vector<std::uint64_t>(more.begin(), more.begin() + 3) == counts);
  REQUIRE(more[3 + right * 20 / 300] == 1);
  REQUIRE(Sum(*LayoutOf(open), kClients, more) == 1);
}

TEST_CASE("the order of the examples changes nothing", "[measure]") {
  for (const std::uint32_t classes : {1U, 2U, 5U}) {
    std::vector<Example> examples = Some(9, 500, classes);
    const auto counts = CountsOf(EvaluateTask(classes), examples);
    std::reverse(examples.begin(), examples.end());
    REQUIRE(CountsOf(EvaluateTask(classes), examples) == counts);
  }
}

TEST_CASE("errors of numbers are clipped where the task says", "[measure]") {
  const v1::TaskSpec task = EvaluateTask(1, 4);  // clip 4
  auto tally = EvaluationTally::Create(task);
  tally->AddNumber(1, 3);
  tally->AddNumber(100, 0);
  tally->AddNumber(0, -4);
  REQUIRE(tally->Counts() == std::vector<std::uint64_t>{3, 1, 25000, 22500, 0, 0, 0, 1});
}

TEST_CASE("a loss is clipped, certainty is no trouble, and nothing counts as nothing",
          "[measure]") {
  const v1::TaskSpec task = EvaluateTask(2, 2);
  const CountLayout layout = *LayoutOf(task);
  auto tally = EvaluationTally::Create(task);
  const std::vector<std::uint64_t> none = tally->Counts();
  REQUIRE(std::all_of(none.begin(), none.end(), [](std::uint64_t lane) { return lane == 0; }));
  const float impossible = -std::numeric_limits<float>::infinity();
  tally->Add(1, std::vector<float>{0, impossible}, 0);
  tally->Add(0, std::vector<float>{0, -200}, 0);
  const std::vector<std::uint64_t> counts = tally->Counts();
  REQUIRE(Sum(layout, kLoss, counts) == 2000);
  REQUIRE(Sum(layout, kConfidence, counts) == 200);
  REQUIRE(Of(layout, kScores, std::span(counts))[0] == 1);
  REQUIRE(Of(layout, kScores, std::span(counts))[2] == 1);
}

}  // namespace
}  // namespace tutti::measure

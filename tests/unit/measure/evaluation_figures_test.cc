#include "common/measure/evaluation_figures.h"

#include <cmath>
#include <random>

#include "common/measure/tally.h"
#include "tests/catch.h"
#include "tests/unit/measure/evaluate_tasks.h"

namespace tutti::measure {
namespace {

// Two clients' counts of made-up predictions, added up, and the plain figures of all of them.
struct Made {
  std::vector<std::int64_t> counts;
  double right = 0, loss = 0, robust = 0, examples = 0;
  double group_examples[3] = {0, 0, 0}, group_selected[3] = {0, 0, 0};
};

Made Make(const v1::TaskSpec& task) {
  std::mt19937_64 random(4);
  std::uniform_real_distribution<double> uniform(0, 1);
  Made made;
  for (int client = 0; client < 2; ++client) {
    auto tally = EvaluationTally::Create(task);
    REQUIRE(tally.ok());
    for (int i = 0; i < 500; ++i) {
      const auto group = static_cast<std::uint32_t>(random() % 3);
      const std::uint32_t label = uniform(random) < 0.3 + 0.1 * group ? 1 : 0;
      const double p = std::min(0.99, std::max(0.01, 0.6 * label + 0.4 * uniform(random)));
      const std::vector<float> logs{static_cast<float>(std::log(1 - p)),
                                    static_cast<float>(std::log(p))};
      const bool predicted = p > 0.5;
      tally->Add(label, logs, group);
      tally->AddRobust(1, p > 0.7 ? 1 : 0);
      made.right += predicted == (label == 1) ? 1 : 0;
      made.loss -= static_cast<double>(logs[label]);
      made.robust += p > 0.7 ? 1 : 0;
      made.group_examples[group] += 1;
      made.group_selected[group] += predicted ? 1 : 0;
      made.examples += 1;
    }
    const std::vector<std::uint64_t> counts = tally->Counts();
    made.counts.resize(counts.size());
    for (std::size_t lane = 0; lane < counts.size(); ++lane) {
      made.counts[lane] += static_cast<std::int64_t>(counts[lane]);
    }
  }
  return made;
}

TEST_CASE("figures of the sums are those of all examples together", "[measure]") {
  const v1::TaskSpec task = WithAdversary(WithGroups(EvaluateTask(2, 20)));
  const Made made = Make(task);
  const auto figures = ClassEvaluationOf(task, {.counts = made.counts});
  REQUIRE(figures.ok());
  REQUIRE(figures->all.confusion.examples.value == made.examples);
  REQUIRE(figures->all.confusion.accuracy.value == Approx(made.right / made.examples));
  REQUIRE(figures->loss.value == Approx(made.loss / made.examples).epsilon(1e-4));
  REQUIRE(figures->robust_accuracy->value == Approx(made.robust / made.examples));
  REQUIRE(figures->clients.clients == 2);
  REQUIRE(figures->groups.size() == 3);
  REQUIRE(figures->rates.size() == 2);
  for (std::size_t group = 0; group < 2; ++group) {
    REQUIRE(figures->rates[group].selection.value ==
            Approx(made.group_selected[group] / made.group_examples[group]));
    REQUIRE(figures->groups[group].roc.size() == 1);
    REQUIRE(figures->groups[group].roc[0].auc.value > 0.9);
  }
  REQUIRE(figures->auc.value == figures->all.roc[0].auc.value);
  REQUIRE(figures->groups[2].confusion.examples.value == made.group_examples[2]);
}

TEST_CASE("noise is the one the layout shares out, and it widens every figure", "[measure]") {
  const v1::TaskSpec task = WithAdversary(WithGroups(EvaluateTask(2, 20)));
  const Made made = Make(task);
  const auto exact = ClassEvaluationOf(task, {.counts = made.counts});
  const auto noisy = ClassEvaluationOf(task, {.counts = made.counts, .noise_multiplier = 2});
  // Seven families: 2 * sqrt(7) a lane of outcomes, 12 of which make the number of examples.
  REQUIRE(noisy->all.confusion.examples.noise_stddev == Approx(2 * std::sqrt(7.0 * 12)));
  REQUIRE(exact->loss.half_width() == 0);
  REQUIRE(noisy->loss.noise_stddev == Approx(20 * 2 * std::sqrt(7.0) / 1000).epsilon(0.01));
  REQUIRE(noisy->all.confusion.accuracy.half_width() > exact->all.confusion.accuracy.half_width());
  REQUIRE(noisy->robust_accuracy->noise_stddev > 0);
  REQUIRE(noisy->calibration.floor > exact->calibration.floor);
  REQUIRE(!noisy->clients.known);
}

TEST_CASE("positive class and others are told apart in models of many classes", "[measure]") {
  const v1::TaskSpec task = WithGroups(EvaluateTask(3, 4), 2);
  const CountLayout layout = *LayoutOf(task);
  std::vector<std::int64_t> counts(layout.lanes());
  // Group 0: labels 0 and 2.
  counts[0 * 3 + 0] = 5;
  counts[0 * 3 + 2] = 15;
  counts[2 * 3 + 1] = 30;
  counts[2 * 3 + 2] = 10;
  const auto figures = ClassEvaluationOf(task, {.counts = counts});
  REQUIRE(figures->rates[0].tpr.value == Approx(0.25));
  REQUIRE(figures->rates[0].fpr.value == Approx(0.75));
  REQUIRE(figures->rates[0].selection.value == Approx(25.0 / 60));
  REQUIRE(figures->groups[0].roc.empty());
}

TEST_CASE("figures of predicted numbers, in the target's unit", "[measure]") {
  const v1::TaskSpec task = EvaluateTask(1, 4);  // clip 4
  auto tally = EvaluationTally::Create(task);
  std::vector<std::int64_t> counts;
  double absolute = 0, squares = 0;
  for (int i = 0; i < 100; ++i) {
    const double error = 0.03 * i;
    tally->AddNumber(error, 0);
    absolute += error / 100;
    squares += error * error / 100;
  }
  for (const std::uint64_t count : tally->Counts()) {
    counts.push_back(static_cast<std::int64_t>(count));
  }
  const auto figures = NumberEvaluationOf(task, {.counts = counts});
  REQUIRE(figures.ok());
  REQUIRE(figures->mean_absolute_error.value == Approx(absolute).epsilon(1e-4));
  REQUIRE(figures->root_mean_squared_error.value == Approx(std::sqrt(squares)).epsilon(1e-4));
  REQUIRE(figures->beyond.value == 0);
  REQUIRE(figures->mean_absolute_error.sampling_stddev ==
          Approx(std::sqrt(squares - absolute * absolute) / 10).epsilon(1e-3));
  REQUIRE(figures->clients.lowest.low * 4 <= absolute);
  REQUIRE(figures->clients.lowest.high * 4 >= absolute);
  const auto noisy = NumberEvaluationOf(task, {.counts = counts, .noise_multiplier = 1});
  REQUIRE(noisy->mean_absolute_error.noise_stddev > 0.07);
  REQUIRE(noisy->root_mean_squared_error.noise_stddev > 0);
}

TEST_CASE("what clients count beside training is accuracy and loss with their doubt", "[measure]") {
  const v1::TaskSpec task = WithGroups(ValidateTask(2));
  std::vector<std::int64_t> counts(8, 5);  // of the groups
  counts.insert(counts.end(), {1000, 800, 45000});
  const auto exact = ValidationOf(task, {.counts = counts, .noise_multiplier = 0});
  REQUIRE(exact.ok());
  REQUIRE((*exact)->examples.value == 1000);
  REQUIRE((*exact)->accuracy.value == Approx(0.8));
  REQUIRE((*exact)->loss.value == Approx(0.45));
  REQUIRE((*exact)->loss.noise_stddev == 0);
  // Three families share the noise: the loss moves by at most 1.38 an example.
  const auto noisy = *ValidationOf(task, {.counts = counts, .noise_multiplier = 4});
  const double of_sum = 4 * std::sqrt(3.0) * MostLoss(2);
  const double of_count = 4 * std::sqrt(3.0) * std::sqrt(2.0);
  REQUIRE(noisy->loss.noise_stddev ==
          Approx(std::hypot(of_sum, 0.45 * of_count) / 1000).epsilon(1e-9));
  // Where the noise hides how many examples there are nothing is known.
  REQUIRE_FALSE((*ValidationOf(task, {.counts = counts, .noise_multiplier = 500}))->loss.known());

  const v1::TaskSpec number = ValidateTask(1);  // errors up to 4
  const std::vector<std::int64_t> errors{200, 3, 500000, 100000};
  const auto figures = *ValidationOf(number, {.counts = errors, .noise_multiplier = 0});
  REQUIRE_FALSE(figures->accuracy.known());
  REQUIRE(figures->loss.value == Approx(16 * 10.0 / 200));

  v1::TaskSpec without = task;
  without.set_validation(false);
  REQUIRE_FALSE(*ValidationOf(without, {.counts = counts, .noise_multiplier = 0}));
  counts.pop_back();
  REQUIRE_FALSE(ValidationOf(task, {.counts = counts, .noise_multiplier = 0}).ok());
}

TEST_CASE("an evaluation of counts that another job made is refused", "[measure]") {
  const std::vector<std::int64_t> counts(5);
  REQUIRE(Says(ClassEvaluationOf(EvaluateTask(2), {.counts = counts}).status(),
               "found 5 counts, the job has 65"));
  v1::TaskSpec task = EvaluateTask(2);
  task.set_kind("train");
  REQUIRE(Says(ClassEvaluationOf(task, {.counts = counts}).status(), "kind is \"train\""));
  const std::vector<std::int64_t> numbers(14);
  REQUIRE(
      Says(ClassEvaluationOf(EvaluateTask(1), {.counts = numbers}).status(), "model.classes is 1"));
  const std::vector<std::int64_t> many(LayoutOf(EvaluateTask(2))->lanes());
  REQUIRE(
      Says(NumberEvaluationOf(EvaluateTask(2), {.counts = many}).status(), "model.classes is 2"));
}

}  // namespace
}  // namespace tutti::measure

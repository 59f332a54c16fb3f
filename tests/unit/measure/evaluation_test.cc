#include "common/measure/evaluation.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/measure/groups.h"
#include "tests/catch.h"
#include "tests/unit/measure/evaluate_tasks.h"

namespace tutti::measure {
namespace {

std::string Shapes(const CountLayout& layout) {
  std::string text;
  for (const Family& family : layout.families) {
    text += family.name;
    for (const std::uint32_t size : family.shape) text += " " + std::to_string(size);
    text += "\n";
  }
  return text;
}

TEST_CASE("what is counted of models of two classes, of ten, and of numbers", "[measure]") {
  REQUIRE(Shapes(*LayoutOf(WithGroups(EvaluateTask(2)))) ==
          "outcomes 3 2 2\nscores 3 1 2 10\ncalibration 10 2\nconfidence 10\nloss 1\nclients 10\n");
  REQUIRE(Shapes(*LayoutOf(WithAdversary(WithGroups(EvaluateTask(10, 20), 9)))) ==
          "outcomes 3 10 10\nscores 1 10 2 20\ncalibration 20 2\nconfidence 20\nloss 1\nrobust 2\n"
          "clients 20\n");
  REQUIRE(Shapes(*LayoutOf(EvaluateTask(10))) ==
          "outcomes 1 10 10\nscores 1 10 2 10\ncalibration 10 2\nconfidence 10\nloss 1\n"
          "clients 10\n");
  REQUIRE(Shapes(*LayoutOf(EvaluateTask(1))) ==
          "errors 2\nabsolute_error 1\nsquared_error 1\nclients 10\n");
}

TEST_CASE("tasks that cannot be evaluated are refused by key", "[measure]") {
  const auto refused = [](const v1::TaskSpec& task, std::string_view words) {
    return Says(LayoutOf(task).status(), words);
  };
  REQUIRE(refused(EvaluateTask(10, 1), "measure.bins is 1, expected 2 to 200"));
  REQUIRE(refused(EvaluateTask(10, 4000000000), "measure.bins"));
  REQUIRE(refused(EvaluateTask(0), "model.classes is 0"));
  REQUIRE(refused(EvaluateTask(100000), "model.classes is 100000"));
  REQUIRE(refused(WithGroups(EvaluateTask(150)), "model.classes is 150 with 3 rows"));
  REQUIRE(refused(WithGroups(EvaluateTask(1)), "fairness.positive_class"));
  REQUIRE(refused(WithAdversary(EvaluateTask(1)), "adversary.kind"));
  v1::TaskSpec task = WithAdversary(EvaluateTask(2));
  task.mutable_adversary()->set_kind("magic");
  REQUIRE(refused(task, "adversary.kind is \"magic\""));
  task = EvaluateTask(5);
  task.mutable_model()->set_architecture("kmeans");
  REQUIRE(refused(task, "kmeans"));
  task = EvaluateTask(1);
  task.mutable_secure_aggregation()->set_value_clip(0);
  REQUIRE(refused(task, "secure_aggregation.value_clip is 0"));
  task.mutable_secure_aggregation()->set_value_clip(std::numeric_limits<double>::infinity());
  REQUIRE(refused(task, "secure_aggregation.value_clip"));
}

TEST_CASE("scores fall into bins by their odds, and every one into some bin", "[measure]") {
  REQUIRE(ScoreBin(std::log(0.5), 10) == 5);
  REQUIRE(ScoreBin(0, 10) == 9);  // certain
  REQUIRE(ScoreBin(-std::numeric_limits<double>::infinity(), 10) == 0);
  REQUIRE(ScoreBin(-1e-300, 10) == 9);
  REQUIRE(ScoreBin(-1e300, 10) == 0);
  // Odds of 1 to 3: log(3) / (1 + log(3)) of the half below the middle.
  REQUIRE(ScoreBin(std::log(0.25), 100) == 23);
  std::uint32_t last = 0;
  for (double p = 0.001; p < 1; p += 0.001) {
    const std::uint32_t bin = ScoreBin(std::log(p), 40);
    REQUIRE(bin >= last);
    REQUIRE(bin < 40);
    last = bin;
  }
}

TEST_CASE("confidence starts where guessing does", "[measure]") {
  REQUIRE(ConfidenceBin(0.1, 10, 9).bin == 0);
  REQUIRE(ConfidenceBin(0.05, 10, 9).above == 0);
  REQUIRE(ConfidenceBin(1, 10, 9).bin == 8);
  REQUIRE(ConfidenceBin(1, 10, 9).above == 1);
  const ConfidencePlace place = ConfidenceBin(0.55, 2, 5);
  REQUIRE(place.bin == 0);
  REQUIRE(place.above == Approx(0.5));
  REQUIRE(ConfidenceAt(place.bin + place.above, 2, 5) == Approx(0.55));
}

}  // namespace
}  // namespace tutti::measure

#include "common/strategy/plateau.h"

#include <limits>

#include "common/strategy/schedule.h"
#include "tests/catch.h"

namespace tutti::strategy {
namespace {

v1::TaskSpec PlateauTask() {
  v1::TaskSpec task;
  task.set_rounds(100);
  task.set_validation(true);
  v1::TrainingSpec& training = *task.mutable_training();
  training.set_schedule("plateau");
  training.set_learning_rate(0.8);
  training.set_final_learning_rate(0.1);
  training.set_plateau_rounds(2);
  training.set_plateau_factor(0.25);
  return task;
}

TEST_CASE("the rate is lowered after so many rounds without a smaller loss", "[plateau]") {
  const v1::TaskSpec task = PlateauTask();
  Plateau plateau;
  std::vector<double> factors;
  for (const double loss : {2.0, 1.0, 1.5, 0.9, 0.95, 0.9, 1.0, 1.1, 0.8}) {
    plateau = NextPlateau(task.training(), plateau, loss);
    factors.push_back(plateau.factor);
  }
  REQUIRE(factors == std::vector<double>{1, 1, 1, 1, 1, 0.25, 0.25, 0.0625, 0.0625});
  REQUIRE(plateau.best == 0.8);
  REQUIRE(plateau.rounds_since == 0);
}

TEST_CASE("a loss that is no number is no better, and the factor stays above 0", "[plateau]") {
  const v1::TaskSpec task = PlateauTask();
  Plateau plateau;
  for (int i = 0; i < 1000; ++i) {
    plateau = NextPlateau(task.training(), plateau, std::numeric_limits<double>::quiet_NaN());
  }
  REQUIRE(plateau.factor > 0);
  REQUIRE_FALSE(plateau.best);
  REQUIRE(LearningRateOf(task.training(), 7, 100, plateau.factor) == 0.1);
  REQUIRE(LearningRateOf(task.training(), 7, 100, 0.25) == Approx(0.2));
  const v1::TaskSpec of_round = TaskOfRound(task, 7, 0.25);
  REQUIRE(of_round.training().learning_rate() == Approx(0.2));
  REQUIRE(CheckSchedule(of_round).ok());
}

TEST_CASE("a checkpoint brings the plateau, and a wrong one is refused", "[plateau]") {
  REQUIRE(*PlateauOf({}) == Plateau());
  const Plateau plateau{.factor = 0.125, .best = 0.3, .rounds_since = 4};
  model::Metadata metadata;
  SetPlateau(plateau, metadata);
  REQUIRE(*PlateauOf(metadata) == plateau);
  for (const char* wrong : {"0", "-1", "1.5", "nan", "inf", "", "0.5 ", "x"}) {
    metadata["learning_rate_factor"] = wrong;
    REQUIRE(PlateauOf(metadata).status().code() == StatusCode::kInvalidArgument);
  }
}

TEST_CASE("plateaus that nothing shows or lowers are refused with the way out", "[plateau]") {
  const auto refusal = [](auto change) {
    v1::TaskSpec task = PlateauTask();
    change(task);
    return std::string(MessageOf(CheckSchedule(task)));
  };
  REQUIRE(refusal([](auto&) {}).empty());
  REQUIRE(refusal([](auto& task) { task.set_validation(false); }).find("evaluation.by") !=
          std::string::npos);
  REQUIRE(refusal([](auto& task) {
            task.mutable_training()->set_plateau_rounds(0);
          }).find("training.plateau_rounds is 0") == 0);
  for (const double factor : {0.0, 1.0, -1.0}) {
    REQUIRE(refusal([&](auto& task) {
              task.mutable_training()->set_plateau_factor(factor);
            }).find("training.plateau_factor") == 0);
  }
  REQUIRE(refusal([](auto& task) {
            task.mutable_training()->set_final_learning_rate(0.9);
          }).find("lowest rate") != std::string::npos);
  REQUIRE(refusal([](auto& task) {
            task.mutable_training()->set_schedule("constant");
            task.mutable_training()->set_final_learning_rate(0);
          }).find("plateau_rounds is 2 with schedule") != std::string::npos);
}

}  // namespace
}  // namespace tutti::strategy

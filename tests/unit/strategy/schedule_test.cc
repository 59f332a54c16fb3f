#include "common/strategy/schedule.h"

#include "tests/catch.h"

namespace tutti::strategy {
namespace {

v1::TrainingSpec Training(const std::string& schedule, double first, double last) {
  v1::TrainingSpec training;
  training.set_schedule(schedule);
  training.set_learning_rate(first);
  training.set_final_learning_rate(last);
  return training;
}

TEST_CASE("every schedule starts at the first learning rate and ends at the last", "[schedule]") {
  for (const std::string schedule : {"linear", "cosine", "exponential"}) {
    const v1::TrainingSpec training = Training(schedule, 0.8, 0.05);
    INFO(schedule);
    REQUIRE(LearningRateOf(training, 1, 10) == Approx(0.8));
    REQUIRE(LearningRateOf(training, 10, 10) == Approx(0.05));
    for (std::uint64_t round = 1; round < 10; ++round) {
      REQUIRE(LearningRateOf(training, round + 1, 10) < LearningRateOf(training, round, 10));
    }
    // Rounds there are none of count as the nearest.
    REQUIRE(LearningRateOf(training, 0, 10) == LearningRateOf(training, 1, 10));
    REQUIRE(LearningRateOf(training, 99, 10) == LearningRateOf(training, 10, 10));
    REQUIRE(LearningRateOf(training, 1, 1) == 0.8);
  }
  REQUIRE(LearningRateOf(Training("constant", 0.8, 0), 7, 10) == 0.8);
  REQUIRE(LearningRateOf(Training("", 0.8, 0), 7, 10) == 0.8);  // a task without the key
}

TEST_CASE("the middle of a job has the middle of its schedule", "[schedule]") {
  REQUIRE(LearningRateOf(Training("linear", 1, 0), 6, 11) == Approx(0.5));
  REQUIRE(LearningRateOf(Training("cosine", 1, 0), 6, 11) == Approx(0.5));
  REQUIRE(LearningRateOf(Training("cosine", 1, 0), 3, 9) == Approx(0.853553390593));  // (1+cos45)/2
  REQUIRE(LearningRateOf(Training("exponential", 1, 0.01), 6, 11) == Approx(0.1));
  REQUIRE(LearningRateOf(Training("linear", 1, 0), 11, 11) > 0);  // a rate of 0 is refused below
}

TEST_CASE("a task of a round has that round's rate and no schedule any more", "[schedule]") {
  v1::TaskSpec task;
  task.set_rounds(11);
  *task.mutable_training() = Training("linear", 1, 0.5);
  const v1::TaskSpec third = TaskOfRound(task, 6, 1);
  REQUIRE(third.training().learning_rate() == Approx(0.75));
  REQUIRE(TaskOfRound(third, 11, 1).training().learning_rate() == Approx(0.75));
  REQUIRE(CheckSchedule(third).ok());
}

TEST_CASE("schedules that do not fit their last rate are refused with the way out", "[schedule]") {
  const auto refusal = [](const v1::TrainingSpec& training) {
    v1::TaskSpec task;
    *task.mutable_training() = training;
    return std::string(MessageOf(CheckSchedule(task)));
  };
  REQUIRE(refusal(Training("exponential", 1, 0.1)).empty());
  REQUIRE(refusal(Training("linear", 1, 0)).empty());
  REQUIRE(refusal(Training("exponential", 1, 0)).find("set it above 0") != std::string::npos);
  REQUIRE(refusal(Training("constant", 1, 0.1)).find("remove it") != std::string::npos);
  REQUIRE(refusal(Training("step", 1, 0.1)).find("expected constant") != std::string::npos);
  REQUIRE(refusal(Training("linear", 1, -1)).find("expected 0 to 1000") != std::string::npos);
}

}  // namespace
}  // namespace tutti::strategy

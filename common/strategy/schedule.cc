#include "common/strategy/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/base/text.h"

namespace tutti::strategy {
namespace {

bool IsConstant(const v1::TrainingSpec& training) {
  return training.schedule().empty() || training.schedule() == "constant";
}

}  // namespace

Status CheckSchedule(const v1::TrainingSpec& training) {
  const std::string& schedule = training.schedule();
  if (IsConstant(training)) {
    if (training.final_learning_rate() == 0) return OkStatus();
    return InvalidArgument(Join("training.final_learning_rate is ", training.final_learning_rate(),
                                " with schedule = \"constant\"; remove it, or choose \"linear\", "
                                "\"cosine\" or \"exponential\""));
  }
  if (schedule != "linear" && schedule != "cosine" && schedule != "exponential") {
    return InvalidArgument(Join("training.schedule is \"", Escaped(schedule, 40),
                                "\", expected constant, linear, cosine or exponential"));
  }
  if (!(training.final_learning_rate() >= 0 && training.final_learning_rate() <= 1000)) {
    return InvalidArgument(Join("training.final_learning_rate is ", training.final_learning_rate(),
                                ", expected 0 to 1000"));
  }
  if (schedule == "exponential" && training.final_learning_rate() == 0) {
    return InvalidArgument(
        "training.final_learning_rate is 0 with schedule = \"exponential\", which never gets "
        "there; set it above 0, for instance to a hundredth of learning_rate");
  }
  return OkStatus();
}

double LearningRateOf(const v1::TrainingSpec& training, std::uint64_t round, std::uint64_t rounds) {
  const double first = training.learning_rate();
  if (IsConstant(training) || rounds < 2) return first;
  const double last = training.final_learning_rate();
  const double share = static_cast<double>(std::clamp<std::uint64_t>(round, 1, rounds) - 1) /
                       static_cast<double>(rounds - 1);
  double rate = first + share * (last - first);
  if (training.schedule() == "cosine") {
    rate = last + (first - last) * (1 + std::cos(std::numbers::pi * share)) / 2;
  } else if (training.schedule() == "exponential") {
    rate = first * std::pow(last / first, share);
  }
  // A rate of exactly 0 would be refused as a mistake; this one moves no weight.
  return std::max(rate, 1e-12);
}

v1::TaskSpec TaskOfRound(v1::TaskSpec task, std::uint64_t round) {
  v1::TrainingSpec& training = *task.mutable_training();
  training.set_learning_rate(LearningRateOf(training, round, task.rounds()));
  training.set_schedule("constant");
  training.set_final_learning_rate(0);
  return task;
}

}  // namespace tutti::strategy

#include "common/strategy/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/base/text.h"
#include "common/strategy/plateau.h"

namespace tutti::strategy {
namespace {

bool IsConstant(const v1::TrainingSpec& training) {
  return training.schedule().empty() || training.schedule() == "constant";
}

Status CheckFinalRate(const v1::TrainingSpec& training) {
  if (training.final_learning_rate() >= 0 && training.final_learning_rate() <= 1000) {
    return OkStatus();
  }
  return InvalidArgument(Join("training.final_learning_rate is ", training.final_learning_rate(),
                              ", expected 0 to 1000"));
}

Status CheckPlateau(const v1::TaskSpec& task) {
  const v1::TrainingSpec& training = task.training();
  if (!task.validation()) {
    return InvalidArgument(
        "training.schedule is \"plateau\" without evaluation.by = \"clients\", so no loss ever "
        "says that the model stopped getting better; set it, or choose another schedule");
  }
  if (training.plateau_rounds() == 0) {
    return InvalidArgument(
        "training.plateau_rounds is 0 with schedule = \"plateau\", expected the rounds without a "
        "smaller loss after which the learning rate is lowered; set it, for instance to 3");
  }
  if (!(training.plateau_factor() > 0 && training.plateau_factor() < 1)) {
    return InvalidArgument(Join("training.plateau_factor is ", training.plateau_factor(),
                                ", expected above 0 and below 1, for instance 0.5"));
  }
  if (training.final_learning_rate() > training.learning_rate()) {
    return InvalidArgument(Join("training.final_learning_rate is ", training.final_learning_rate(),
                                ", above learning_rate = ", training.learning_rate(),
                                "; with schedule = \"plateau\" it is the lowest rate, lower it"));
  }
  return CheckFinalRate(training);
}

}  // namespace

Status CheckSchedule(const v1::TaskSpec& task) {
  const v1::TrainingSpec& training = task.training();
  const std::string& schedule = training.schedule();
  if (HasPlateau(training)) return CheckPlateau(task);
  if (training.plateau_rounds() != 0) {
    return InvalidArgument(Join("training.plateau_rounds is ", training.plateau_rounds(),
                                " with schedule = \"",
                                Escaped(IsConstant(training) ? "constant" : schedule, 40),
                                "\"; remove it, or set schedule = \"plateau\""));
  }
  if (IsConstant(training)) {
    if (training.final_learning_rate() == 0) return OkStatus();
    return InvalidArgument(Join("training.final_learning_rate is ", training.final_learning_rate(),
                                " with schedule = \"constant\"; remove it, or choose \"linear\", "
                                "\"cosine\", \"exponential\" or \"plateau\""));
  }
  if (schedule != "linear" && schedule != "cosine" && schedule != "exponential") {
    return InvalidArgument(Join("training.schedule is \"", Escaped(schedule, 40),
                                "\", expected constant, linear, cosine, exponential or plateau"));
  }
  TUTTI_TRY(CheckFinalRate(training));
  if (schedule == "exponential" && training.final_learning_rate() == 0) {
    return InvalidArgument(
        "training.final_learning_rate is 0 with schedule = \"exponential\", which never gets "
        "there; set it above 0, for instance to a hundredth of learning_rate");
  }
  return OkStatus();
}

double LearningRateOf(const v1::TrainingSpec& training, std::uint64_t round, std::uint64_t rounds,
                      double factor) {
  const double first = training.learning_rate();
  if (HasPlateau(training)) return std::max(first * factor, training.final_learning_rate());
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

v1::TaskSpec TaskOfRound(v1::TaskSpec task, std::uint64_t round, double factor) {
  v1::TrainingSpec& training = *task.mutable_training();
  training.set_learning_rate(LearningRateOf(training, round, task.rounds(), factor));
  training.set_schedule("constant");
  training.set_final_learning_rate(0);
  training.set_plateau_rounds(0);
  return task;
}

}  // namespace tutti::strategy

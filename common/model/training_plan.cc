#include "common/model/training_plan.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"

namespace tutti::model {

StatusOr<TrainingPlan> PlanOf(const v1::TrainingSpec& training, bool sample_examples,
                              std::uint64_t examples, double sampling_rate) {
  if (examples == 0) {
    return FailedPrecondition("there are no local examples, expected at least one to train on");
  }
  if (training.batch_size() == 0) {
    return InvalidArgument("training.batch_size is missing or 0, expected at least 1 example");
  }
  if ((training.local_steps() == 0) == (training.local_epochs() == 0)) {
    return InvalidArgument(Join("training.local_steps is ", training.local_steps(),
                                " and training.local_epochs is ", training.local_epochs(),
                                ", expected exactly one of them to be set"));
  }
  if (!(sampling_rate >= 0 && sampling_rate <= 1)) {
    return InvalidArgument(Join("privacy.sampling_rate is ", sampling_rate, ", expected 0 to 1"));
  }
  const std::uint64_t batch = std::min<std::uint64_t>(training.batch_size(), examples);
  std::uint64_t epoch = (examples + batch - 1) / batch;
  TrainingPlan plan;
  if (sample_examples) {
    plan.sampling_rate = static_cast<double>(batch) / static_cast<double>(examples);
    if (sampling_rate > 0) {
      plan.sampling_rate = sampling_rate;
      // A rate so small that an epoch has more steps than this is caught as too many steps.
      epoch = static_cast<std::uint64_t>(std::min(std::ceil(1 / sampling_rate), 0x1p40));
    }
  }
  plan.steps =
      training.local_steps() != 0 ? training.local_steps() : training.local_epochs() * epoch;
  return plan;
}

}  // namespace tutti::model

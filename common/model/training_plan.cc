#include "common/model/training_plan.h"

#include <algorithm>

#include "common/base/text.h"

namespace tutti::model {

StatusOr<TrainingPlan> PlanOf(const v1::TrainingSpec& training, bool with_privacy,
                              std::uint64_t examples) {
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
  const std::uint64_t batch = std::min<std::uint64_t>(training.batch_size(), examples);
  TrainingPlan plan;
  plan.steps = training.local_steps() != 0
                   ? training.local_steps()
                   : training.local_epochs() * ((examples + batch - 1) / batch);
  if (with_privacy) {
    plan.sampling_rate = static_cast<double>(batch) / static_cast<double>(examples);
  }
  return plan;
}

}  // namespace tutti::model

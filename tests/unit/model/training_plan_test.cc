#include "common/model/training_plan.h"

#include "tests/catch.h"

namespace tutti::model {
namespace {

v1::TrainingSpec Spec(std::uint32_t batch, std::uint32_t steps, std::uint32_t epochs) {
  v1::TrainingSpec spec;
  spec.set_batch_size(batch);
  spec.set_local_steps(steps);
  spec.set_local_epochs(epochs);
  return spec;
}

TEST_CASE("steps are taken as given and epochs count a last small batch", "[plan]") {
  REQUIRE(*PlanOf(Spec(64, 20, 0), false, 1000) == TrainingPlan{20, 0});
  REQUIRE(*PlanOf(Spec(64, 0, 3), false, 1000) == TrainingPlan{48, 0});
  REQUIRE(*PlanOf(Spec(250, 0, 3), true, 1000) == TrainingPlan{12, 0.25});
}

TEST_CASE("a batch larger than the data is all of it", "[plan]") {
  REQUIRE(*PlanOf(Spec(64, 0, 2), true, 10) == TrainingPlan{2, 1.0});
  REQUIRE(*PlanOf(Spec(64, 0, 2), false, 10) == TrainingPlan{2, 0});
}

TEST_CASE("a plan needs examples, a batch and either steps or epochs", "[plan]") {
  REQUIRE(PlanOf(Spec(64, 1, 0), true, 0).status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(PlanOf(Spec(0, 1, 0), true, 10).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(PlanOf(Spec(64, 0, 0), true, 10).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(PlanOf(Spec(64, 1, 1), true, 10).status().code() == StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti::model

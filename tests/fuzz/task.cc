// The task a coordinator offers: its model, and whether the owner's policy lets it train.
#include <cmath>

#include "client/policy/policy.h"
#include "common/model/architecture.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

constexpr double kBudget = 4;

v1::PolicyConfig OwnersPolicy() {
  v1::PolicyConfig policy;
  policy.set_max_epsilon_total(kBudget);
  policy.set_max_epsilon_round(kBudget);
  policy.set_delta(1e-5);
  policy.set_min_noise_multiplier(0.3);
  policy.set_max_clip_norm(100);
  policy.set_min_cohort(3);
  policy.set_max_rounds_per_day(100);
  policy.set_max_model_values(100000000);
  policy.set_max_local_steps(100000);
  policy.set_min_local_examples(1);
  return policy;
}

// The round that follows from the task: what the two must agree on is not what is tried here.
secagg::RoundConfig RoundOf(const v1::TaskSpec& task) {
  const v1::SecureAggregationSpec& spec = task.secure_aggregation();
  secagg::RoundConfig round;
  round.level =
      spec.level() == "curious" ? secagg::ThreatLevel::kCurious : secagg::ThreatLevel::kMalicious;
  round.job = task.job();
  round.round = 1;
  round.values = task.values();
  round.value_bits = spec.value_bits();
  round.value_clip = spec.value_clip();
  round.corrupt_fraction = spec.corrupt_fraction();
  round.dropout_fraction = spec.dropout_fraction();
  round.privacy_bits = spec.privacy_bits();
  round.liveness_bits = spec.liveness_bits();
  round.max_cohort = 8;
  return round;
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  v1::TaskSpec task;
  if (!task.ParseFromArray(data, static_cast<int>(size))) {
    return 0;
  }
  const StatusOr<model::Architecture> architecture = model::ArchitectureOf(task.model());
  if (architecture.ok()) {
    std::uint64_t values = 0;
    for (const model::Parameter& parameter : architecture->layout.parameters) {
      fuzz::Expect(parameter.offset == values, "parameters follow one another");
      values += parameter.values;
    }
    fuzz::Expect(values == architecture->layout.values && values <= model::kMaxValues,
                 "a layout counts all its values");
  }
  const StatusOr<policy::Plan> plan =
      policy::Decide(fuzz::OwnersPolicy(), task, fuzz::RoundOf(task), {7500}, {});
  if (plan.ok()) {
    fuzz::Expect(plan->with_privacy(), "a policy that forbids training without privacy is kept");
    fuzz::Expect(plan->coordinator.after > 0 && plan->coordinator.after <= fuzz::kBudget,
                 "a plan stays within the budget");
    fuzz::Expect(plan->noise_multiplier >= 0.3 && std::isfinite(plan->noise_multiplier),
                 "a plan has the noise the owner asks for");
  }
  return 0;
}

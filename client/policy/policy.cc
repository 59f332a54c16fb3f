#include "client/policy/policy.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "client/policy/rules.h"
#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/dp/calibration.h"

namespace tutti::policy {
namespace {

constexpr std::array<std::string_view, 5> kCodes = {"POLICY", "BUDGET_EXHAUSTED", "CONFIG_MISMATCH",
                                                    "DATA", "INSECURE_SEED"};

// What may be done about an epsilon that is too large. The ledger never forgets, so waiting is
// none.
constexpr std::string_view kWayOut =
    "this device sits out until its owner raises the bound in policy.toml and restarts "
    "tutti-client, "
    "or the job costs less";

// Noise for the whole job from its target, as if this device took part in every planned round.
StatusOr<double> CalibratedNoise(const v1::TaskSpec& task, const Plan& plan) {
  const v1::PrivacySpec& privacy = task.privacy();
  if (!(privacy.target_epsilon() > 0) && Guard("policy.noise_or_target")) {
    return Forbidden(
        "the job asks for privacy.unit = \"example\" with neither a noise_multiplier nor a "
        "target_epsilon, so without "
        "noise; expected one of them");
  }
  const std::uint64_t rounds =
      privacy.planned_rounds() > 0 ? privacy.planned_rounds() : task.rounds();
  if ((rounds == 0 || plan.steps > kMaxTotalSteps / rounds) && Guard("policy.planned_steps")) {
    return Mismatch(Join("the job plans ", rounds, " rounds of ", plan.steps,
                         " steps, expected 1 to ", kMaxTotalSteps, " steps in all"));
  }
  StatusOr<double> noise = dp::CalibrateNoise({privacy.target_epsilon(), privacy.delta()},
                                              plan.sampling_rate, rounds * plan.steps);
  if (!noise.ok()) return Forbidden("the job's target cannot be met: " + TextOf(noise.status()));
  return noise;
}

Status CheckNoise(const v1::PolicyConfig& policy, const Plan& plan, const DataFacts& data) {
  const bool enough = plan.noise_multiplier >= policy.min_noise_multiplier() &&
                      plan.noise_multiplier > 0 && std::isfinite(plan.noise_multiplier);
  if (!enough && Guard("policy.noise")) {
    return Forbidden(Join("noise_multiplier would be ", plan.noise_multiplier,
                          ", min_noise_multiplier is ", policy.min_noise_multiplier()));
  }
  // With delta at 1/examples, publishing one example outright would count as private.
  if (!(policy.delta() * static_cast<double>(data.examples) < 1) && Guard("policy.delta")) {
    return Forbidden(Join("delta = ", policy.delta(), " is not below 1 / ", data.examples,
                          " examples; set a smaller delta in the policy"));
  }
  return OkStatus();
}

// Fills the epsilons of `plan` and compares them with the owner's limits.
Status ChargeAgainst(const v1::PolicyConfig& policy, const History& history, Plan& plan) {
  dp::Accountant spent;
  for (const dp::SubsampledGaussian& event : history.events) TUTTI_TRY(spent.Add(event));
  TUTTI_ASSIGN(const dp::SpentBudget before, spent.Spent(policy.delta()));
  TUTTI_ASSIGN(const dp::SpentBudget after, spent.SpentWith(plan.event, policy.delta()));
  TUTTI_ASSIGN(const dp::SpentBudget alone, dp::SpentEpsilon({&plan.event, 1}, policy.delta()));
  plan.epsilon_before = before.epsilon;
  plan.epsilon_after = after.epsilon;
  plan.epsilon_round = alone.epsilon;
  if (!plan.with_privacy) return OkStatus();
  if (!(alone.epsilon <= policy.max_epsilon_round()) && Guard("policy.epsilon_round")) {
    return Forbidden(Join("this round alone costs epsilon ", RoundedUp(alone.epsilon, 3),
                          " at delta ", policy.delta(), ", max_epsilon_round is ",
                          policy.max_epsilon_round(), "; ", kWayOut));
  }
  if (!(after.epsilon <= policy.max_epsilon_total()) && Guard("policy.epsilon_total")) {
    return ResourceExhausted(Join("BUDGET_EXHAUSTED: max_epsilon_total is ",
                                  policy.max_epsilon_total(), " at delta ", policy.delta(),
                                  ", spent ", RoundedUp(before.epsilon, 3), ", with this round ",
                                  RoundedUp(after.epsilon, 3), "; ", kWayOut));
  }
  return OkStatus();
}

}  // namespace

Status Screen(const v1::PolicyConfig& policy, const v1::TaskSpec& task,
              const secagg::RoundConfig& round, std::uint64_t rounds_last_day) {
  TUTTI_TRY(CheckPolicy(policy));
  TUTTI_TRY(CheckJob(policy, task));
  TUTTI_TRY(CheckModel(policy, task));
  TUTTI_TRY(CheckRoundMatchesTask(task, round));
  TUTTI_TRY(CheckCohort(policy, round));
  TUTTI_TRY(CheckQuota(policy, rounds_last_day));
  TUTTI_ASSIGN(const bool with_privacy, WithPrivacy(policy, task));
  return with_privacy ? CheckClip(policy, task.privacy()) : OkStatus();
}

StatusOr<Plan> Decide(const v1::PolicyConfig& policy, const v1::TaskSpec& task,
                      const secagg::RoundConfig& round, const DataFacts& data,
                      const History& history) {
  TUTTI_TRY(Screen(policy, task, round, history.rounds_last_day));
  TUTTI_TRY(CheckData(policy, data.examples));
  Plan plan;
  plan.delta = policy.delta();
  TUTTI_ASSIGN(plan.with_privacy, WithPrivacy(policy, task));
  TUTTI_ASSIGN(const model::TrainingPlan training,
               TrainingOfRound(policy, task.training(), plan.with_privacy, data.examples));
  plan.steps = training.steps;
  if (plan.with_privacy) {
    plan.sampling_rate = training.sampling_rate;
    plan.noise_multiplier = task.privacy().noise_multiplier();
    if (plan.noise_multiplier == 0) {
      TUTTI_ASSIGN(plan.noise_multiplier, CalibratedNoise(task, plan));
    }
    TUTTI_TRY(CheckNoise(policy, plan, data));
    plan.event = {plan.sampling_rate, plan.noise_multiplier, plan.steps};
  }
  TUTTI_TRY(ChargeAgainst(policy, history, plan));
  return plan;
}

std::string CodeOf(const Status& refusal) {
  const std::string_view text = MessageOf(refusal);
  for (const std::string_view code : kCodes) {
    if (text.substr(0, code.size()) == code && text.substr(code.size(), 2) == ": ")
      return std::string(code);
  }
  return std::string(kCodes[0]);
}

std::string ReasonOf(const Status& refusal) {
  const std::string_view text = MessageOf(refusal);
  for (const std::string_view code : kCodes) {
    if (text.substr(0, code.size()) == code && text.substr(code.size(), 2) == ": ") {
      return std::string(text.substr(code.size() + 2));
    }
  }
  return std::string(text);
}

}  // namespace tutti::policy

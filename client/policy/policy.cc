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

// Settings whose noise the trainer adds in every step.
Status PlanSteps(const v1::TaskSpec& task, const model::TrainingPlan& training, Plan& plan) {
  plan.sampling_rate = training.sampling_rate;
  plan.noise_multiplier = task.privacy().noise_multiplier();
  if (plan.noise_multiplier == 0) {
    TUTTI_ASSIGN(plan.noise_multiplier, CalibratedNoise(task, plan));
  }
  plan.event = dp::SubsampledGaussian{plan.sampling_rate, plan.noise_multiplier, plan.steps};
  plan.model_event = plan.event;
  return OkStatus();
}

// Settings whose noise is in the sum.
Status PlanSum(const v1::TaskSpec& task, const secagg::RoundConfig& round, const History& history,
               Plan& plan) {
  StatusOr<privacy::Terms> terms = privacy::TermsOf(task, round);
  if (!terms.ok()) return Forbidden("the job's noise does not work out: " + TextOf(terms.status()));
  plan.sampling_rate = terms->sampling_rate;
  plan.noise_multiplier = terms->noise_multiplier;
  plan.event = EventOf(*terms, privacy::Observer::kCoordinator, terms->fewest_clients);
  plan.model_event = EventOf(*terms, privacy::Observer::kModels, terms->fewest_clients);
  if (plan.setting.noise == privacy::NoiseSource::kTree && history.rounds_of_job > 0) {
    // The first round was charged for all that the tree allows.
    if (history.rounds_of_job >= terms->planned_rounds && Guard("policy.tree_rounds")) {
      return ResourceExhausted(
          Join("POLICY: this device took part in ", history.rounds_of_job,
               " rounds of this job, and its tree of noise covers planned_rounds = ",
               terms->planned_rounds, " of one client"));
    }
    plan.model_event = dp::WithSteps(plan.model_event, 0);
  }
  plan.terms = *std::move(terms);
  return OkStatus();
}

Status PlanUpdate(const v1::PolicyConfig& policy, const v1::TaskSpec& task,
                  const secagg::RoundConfig& round, const DataFacts& data, const History& history,
                  Plan& plan) {
  TUTTI_ASSIGN(const model::TrainingPlan training,
               TrainingOfRound(policy, task, plan.setting.clips_examples(), data.examples));
  plan.steps = training.steps;
  if (!plan.with_privacy()) return OkStatus();
  return plan.setting.noise_in_trainer() ? PlanSteps(task, training, plan)
                                         : PlanSum(task, round, history, plan);
}

// What clients count: beside the update a release of its own, otherwise all that is released.
Status PlanCounts(const v1::TaskSpec& task, const secagg::RoundConfig& round, Plan& plan) {
  StatusOr<std::optional<privacy::CountTerms>> terms = privacy::CountTermsOf(task, round);
  if (!terms.ok()) {
    if (!Guard("policy.count_noise")) return OkStatus();
    return Forbidden("the job's counts do not work out: " + TextOf(terms.status()));
  }
  plan.counts = *std::move(terms);
  if (!plan.counts || !plan.with_privacy()) return OkStatus();
  const std::uint64_t fewest = plan.counts->fewest_clients;
  const dp::Event event = CountEvent(*plan.counts, privacy::Observer::kCoordinator, fewest);
  const dp::Event model_event = CountEvent(*plan.counts, privacy::Observer::kModels, fewest);
  if (!plan.setting.update) {
    plan.noise_multiplier = plan.counts->noise_multiplier;
    plan.event = event;
    plan.model_event = model_event;
  } else {
    plan.counts_event = event;
    plan.counts_model_event = model_event;
  }
  return OkStatus();
}

Status CheckMultiplier(const v1::PolicyConfig& policy, std::string_view key,
                       double noise_multiplier) {
  const bool enough = noise_multiplier >= policy.min_noise_multiplier() && noise_multiplier > 0 &&
                      std::isfinite(noise_multiplier);
  if (enough || !Guard("policy.noise")) return OkStatus();
  return Forbidden(Join(key, " would be ", noise_multiplier, ", min_noise_multiplier is ",
                        policy.min_noise_multiplier()));
}

Status CheckNoise(const v1::PolicyConfig& policy, const Plan& plan, const DataFacts& data) {
  TUTTI_TRY(CheckMultiplier(policy, "noise_multiplier", plan.noise_multiplier));
  if (plan.counts_event) {
    TUTTI_TRY(CheckMultiplier(policy, "counts_noise_multiplier", plan.counts->noise_multiplier));
  }
  // With delta at 1/examples, publishing one example outright would count as private.
  if (!(policy.delta() * static_cast<double>(data.examples) < 1) && Guard("policy.delta")) {
    return Forbidden(Join("delta = ", policy.delta(), " is not below 1 / ", data.examples,
                          " examples; set a smaller delta in the policy"));
  }
  return OkStatus();
}

// `round`: what this round releases.
StatusOr<Epsilons> EpsilonsOf(std::span<const dp::Event> history, std::span<const dp::Event> round,
                              double delta) {
  dp::Accountant spent;
  for (const dp::Event& one : history) TUTTI_TRY(spent.Add(one));
  TUTTI_ASSIGN(const dp::SpentBudget before, spent.Spent(delta));
  for (const dp::Event& one : round) TUTTI_TRY(spent.Add(one));
  TUTTI_ASSIGN(const dp::SpentBudget after, spent.Spent(delta));
  TUTTI_ASSIGN(const dp::SpentBudget alone, dp::SpentEpsilon(round, delta));
  return Epsilons{before.epsilon, after.epsilon, alone.epsilon};
}

std::vector<dp::Event> Both(const dp::Event& event, const std::optional<dp::Event>& counts) {
  std::vector<dp::Event> events = {event};
  if (counts) events.push_back(*counts);
  return events;
}

// Fills the epsilons of `plan`.
Status Count(const History& history, Plan& plan) {
  TUTTI_ASSIGN(plan.coordinator,
               EpsilonsOf(history.events, Both(plan.event, plan.counts_event), plan.delta));
  TUTTI_ASSIGN(plan.models,
               EpsilonsOf(history.model_events, Both(plan.model_event, plan.counts_model_event),
                          plan.delta));
  return OkStatus();
}

// Steps of DP-SGD are separate releases: fewer of them than asked for may still fit.
Status Shrink(const v1::PolicyConfig& policy, const History& history, Plan& plan) {
  dp::Accountant spent;
  for (const dp::Event& one : history.events) TUTTI_TRY(spent.Add(one));
  dp::Accountant nothing;
  if (plan.counts_event) {  // they do not get fewer
    TUTTI_TRY(spent.Add(*plan.counts_event));
    TUTTI_TRY(nothing.Add(*plan.counts_event));
  }
  TUTTI_ASSIGN(const std::uint64_t in_total,
               spent.MaxSteps(plan.event, {policy.max_epsilon_total(), plan.delta}));
  TUTTI_ASSIGN(const std::uint64_t in_round,
               nothing.MaxSteps(plan.event, {policy.max_epsilon_round(), plan.delta}));
  const std::uint64_t fitting = std::min(in_total, in_round);
  if (fitting == 0 || fitting >= plan.steps) return OkStatus();
  plan.steps_asked = plan.steps;
  plan.steps = fitting;
  plan.event = dp::WithSteps(plan.event, fitting);
  plan.model_event = dp::WithSteps(plan.model_event, fitting);
  return Count(history, plan);
}

// Compares the plan's epsilons with the owner's limits.
Status ChargeAgainst(const v1::PolicyConfig& policy, const History& history, Plan& plan) {
  TUTTI_TRY(Count(history, plan));
  if (!plan.with_privacy()) return OkStatus();
  if (plan.setting.noise_in_trainer()) TUTTI_TRY(Shrink(policy, history, plan));
  const bool trusted = CoordinatorIsTrusted(policy);
  const Epsilons& counted = trusted ? plan.models : plan.coordinator;
  const std::string_view whom =
      trusted ? " against whoever sees only the models" : " against the coordinator";
  if (!(counted.round <= policy.max_epsilon_round()) && Guard("policy.epsilon_round")) {
    return Forbidden(Join("this round alone costs epsilon ", RoundedUp(counted.round, 3), whom,
                          " at delta ", policy.delta(), ", max_epsilon_round is ",
                          policy.max_epsilon_round(), "; ", kWayOut));
  }
  if (!(counted.after <= policy.max_epsilon_total()) && Guard("policy.epsilon_total")) {
    return ResourceExhausted(
        Join("BUDGET_EXHAUSTED: max_epsilon_total is ", policy.max_epsilon_total(), " at delta ",
             policy.delta(), ", spent", whom, " ", RoundedUp(counted.before, 3),
             ", with this round ", RoundedUp(counted.after, 3), "; ", kWayOut));
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
  TUTTI_ASSIGN(const privacy::Setting setting, SettingAllowed(policy, task));
  const bool clips = setting.with_privacy() && setting.update;
  return clips ? CheckClip(policy, task.privacy().clip_norm()) : OkStatus();
}

StatusOr<Plan> Decide(const v1::PolicyConfig& policy, const v1::TaskSpec& task,
                      const secagg::RoundConfig& round, const DataFacts& data,
                      const History& history) {
  TUTTI_TRY(Screen(policy, task, round, history.rounds_last_day));
  TUTTI_TRY(CheckData(policy, data.examples));
  Plan plan;
  plan.delta = policy.delta();
  TUTTI_ASSIGN(plan.setting, SettingAllowed(policy, task));
  if (plan.setting.update) TUTTI_TRY(PlanUpdate(policy, task, round, data, history, plan));
  TUTTI_TRY(PlanCounts(task, round, plan));
  if (plan.with_privacy()) TUTTI_TRY(CheckNoise(policy, plan, data));
  TUTTI_TRY(ChargeAgainst(policy, history, plan));
  return plan;
}

bool CoordinatorIsTrusted(const v1::PolicyConfig& policy) {
  return std::any_of(policy.noise().begin(), policy.noise().end(), [](const std::string& source) {
    return source == "central" || source == "tree";
  });
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

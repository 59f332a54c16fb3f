#include "client/policy/rules.h"

#include <algorithm>
#include <cmath>

#include "client/policy/policy.h"
#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/measure/counts.h"
#include "common/model/architecture.h"
#include "common/privacy/personal.h"
#include "common/strategy/class_weights.h"
#include "common/strategy/packing.h"
#include "common/strategy/schedule.h"
#include "common/strategy/staleness.h"
#include "common/strategy/sum_vector.h"

namespace tutti::policy {
namespace {

// OK when the round's setting is the task's.
template <typename A, typename B>
Status Same(std::string_view what, const A& in_round, const B& in_task) {
  if (in_round == in_task) return OkStatus();
  return Mismatch(Join("the round has ", what, " ", in_round, ", its task has ", in_task));
}

std::string_view LevelName(secagg::ThreatLevel level) {
  return level == secagg::ThreatLevel::kMalicious ? "malicious" : "curious";
}

Status CheckWeighting(const v1::TaskSpec& task, const secagg::RoundConfig& round) {
  const std::string& weighting = task.secure_aggregation().weighting();
  if (weighting != "uniform" && weighting != "examples" && Guard("policy.weighting")) {
    return Mismatch(
        Join("the task has weighting \"", Escaped(weighting), "\", expected uniform or examples"));
  }
  if ((weighting == "examples") != (round.weight_bits > 0) && Guard("policy.weight_bits")) {
    return Mismatch(Join("the task has weighting \"", weighting,
                         "\", but the round has weight_bits ", round.weight_bits));
  }
  return OkStatus();
}

}  // namespace

Status Forbidden(std::string_view text) { return PermissionDenied(Join("POLICY: ", text)); }
Status Mismatch(std::string_view text) { return PermissionDenied(Join("CONFIG_MISMATCH: ", text)); }

bool JobMatches(const std::string& job, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return true;
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.empty() || pattern.back() != '*') return job == pattern;
    const std::string_view prefix = std::string_view(pattern).substr(0, pattern.size() - 1);
    return std::string_view(job).substr(0, prefix.size()) == prefix;
  });
}

Status CheckPolicy(const v1::PolicyConfig& policy) {
  if (!(policy.max_epsilon_total() > 0) || !(policy.max_epsilon_round() > 0)) {
    return InvalidArgument(Join("policy has max_epsilon_total ", policy.max_epsilon_total(),
                                " and max_epsilon_round ", policy.max_epsilon_round(),
                                ", expected numbers above 0"));
  }
  if (!(policy.delta() > 0 && policy.delta() < 1)) {
    return InvalidArgument(
        Join("policy has delta ", policy.delta(), ", expected a number above 0 and below 1"));
  }
  return OkStatus();
}

Status CheckJob(const v1::PolicyConfig& policy, const v1::TaskSpec& task) {
  if (!IsSafeName(task.job()) && Guard("policy.job_name")) {
    return Mismatch(
        Join("job name \"", Escaped(task.job(), 64), "\" is not 1 to 64 of a-z 0-9 . _ -"));
  }
  if (!JobMatches(task.job(), {policy.jobs().begin(), policy.jobs().end()}) &&
      Guard("policy.jobs")) {
    return Forbidden(Join("job \"", task.job(), "\" matches none of the names in jobs"));
  }
  return OkStatus();
}

Status CheckScript(const v1::PolicyConfig& policy, const v1::ModelSpec& model) {
  if (!model::IsScript(model)) return OkStatus();
  const auto& allowed = policy.torchscript();
  const std::string& wanted = model.torchscript_sha256();
  if (std::find(allowed.begin(), allowed.end(), wanted) != allowed.end() ||
      !Guard("policy.torchscript")) {
    return OkStatus();
  }
  return Forbidden(
      Join("the job's model is the TorchScript file with SHA-256 ", Escaped(wanted, 64),
           ", which torchscript does not list; the device's owner has to read the file, put it "
           "into trainer.torchscript_directory and add this hash"));
}

Status CheckModel(const v1::PolicyConfig& policy, const v1::TaskSpec& task) {
  if (measure::KindOf(task) == measure::Kind::kAnalyse) return OkStatus();  // there is no model
  const std::string& architecture = task.model().architecture();
  const auto& allowed = policy.architectures();
  if (!allowed.empty() &&
      std::find(allowed.begin(), allowed.end(), architecture) == allowed.end() &&
      Guard("policy.architectures")) {
    return Forbidden(
        Join("the job's architecture \"", Escaped(architecture, 64), "\" is not in architectures"));
  }
  TUTTI_TRY(CheckScript(policy, task.model()));
  if ((task.values() == 0 || task.values() > policy.max_model_values()) &&
      Guard("policy.max_model_values")) {
    return Forbidden(Join("the job's model has ", task.values(), " values, max_model_values is ",
                          policy.max_model_values()));
  }
  const StatusOr<model::Layout> layout = model::LayoutOf(task.model());
  if (!layout.ok()) {
    if (!Guard("policy.model")) return OkStatus();
    return Mismatch("the task's model cannot be built: " + std::string(MessageOf(layout.status())));
  }
  const std::uint64_t common = ValuesIn(*layout, model::Section::kCommon);
  if (common != task.values() && Guard("policy.model_values")) {
    return Mismatch(Join("the task states ", task.values(), " values, its model has ", common,
                         " that are trained by all together"));
  }
  if (const Status covered = privacy::CheckPersonal(task.model(), task.privacy());
      !covered.ok() && Guard("policy.personal")) {
    return Mismatch("the task's personal parameters: " + std::string(MessageOf(covered)));
  }
  // Frozen and personal parameters are not sent, but need memory and time all the same.
  if (layout->values > policy.max_model_values() && Guard("policy.model_size")) {
    return Forbidden(Join("the job's model has ", layout->values, " values, max_model_values is ",
                          policy.max_model_values()));
  }
  return OkStatus();
}

// Combinations in which a strategy would send more than the privacy of the job covers.
Status CheckStrategy(const v1::TaskSpec& task) {
  Status status = strategy::CheckSchedule(task);
  status.Update(strategy::CheckClassWeights(task));
  status.Update(strategy::CheckStrategy(task));
  status.Update(strategy::CheckPacking(task));
  status.Update(strategy::CheckStaleness(task));
  if (status.ok() || !Guard("policy.strategy")) return OkStatus();
  return Mismatch(std::string(MessageOf(status)));
}

// Lanes beyond those of the sum of weights are counts that the task names, with the noise it
// promises.
Status CheckCounts(const v1::TaskSpec& task, const secagg::RoundConfig& round) {
  const StatusOr<measure::CountLayout> counts = measure::LayoutOf(task);
  if (!counts.ok()) {
    if (!Guard("policy.counts")) return OkStatus();
    return Mismatch("the task's counts: " + std::string(MessageOf(counts.status())));
  }
  if (round.extra_lanes != 1 + counts->lanes() && Guard("policy.metrics_with_privacy")) {
    return Mismatch(Join("the round has ", round.extra_lanes, " extra lanes, its task 1 and ",
                         counts->lanes(), " counts"));
  }
  return OkStatus();
}

Status CheckRoundMatchesTask(const v1::TaskSpec& task, const secagg::RoundConfig& round) {
  const v1::SecureAggregationSpec& wanted = task.secure_aggregation();
  if (round.job != task.job() && Guard("policy.same_job")) {
    return Mismatch(Join("the round is of job \"", Escaped(round.job, 64), "\", its task of job \"",
                         task.job(), "\""));
  }
  if ((round.round == 0 || round.round > task.rounds()) && Guard("policy.round_of_job")) {
    return Mismatch(
        Join("the round has number ", round.round, ", the job has rounds 1 to ", task.rounds()));
  }
  if (Guard("policy.same_level"))
    TUTTI_TRY(Same("level", LevelName(round.level), Escaped(wanted.level(), 32)));
  TUTTI_TRY(CheckStrategy(task));
  // With noise in the sum the device works out range and padding itself (privacy::TermsOf).
  const StatusOr<privacy::Setting> setting = privacy::SettingOf(task);
  const bool plain = !setting.ok() || !setting->in_ring();
  if (plain && Guard("policy.same_values"))
    TUTTI_TRY(Same("values", round.values, strategy::PackedValues(task)));
  if (Guard("policy.same_value_bits"))
    TUTTI_TRY(Same("value_bits", round.value_bits, wanted.value_bits()));
  if (plain && Guard("policy.same_value_clip"))
    TUTTI_TRY(Same("value_clip", round.value_clip, wanted.value_clip()));
  if (Guard("policy.same_corrupt_fraction"))
    TUTTI_TRY(Same("corrupt_fraction", round.corrupt_fraction, wanted.corrupt_fraction()));
  if (Guard("policy.same_dropout_fraction"))
    TUTTI_TRY(Same("dropout_fraction", round.dropout_fraction, wanted.dropout_fraction()));
  if (Guard("policy.same_privacy_bits"))
    TUTTI_TRY(Same("privacy_bits", round.privacy_bits, wanted.privacy_bits()));
  if (Guard("policy.same_liveness_bits"))
    TUTTI_TRY(Same("liveness_bits", round.liveness_bits, wanted.liveness_bits()));
  const std::uint32_t groups = std::max<std::uint32_t>(task.robust().groups(), 1);  // 0: no section
  if (Guard("policy.same_groups")) TUTTI_TRY(Same("groups", round.groups, groups));
  TUTTI_TRY(CheckWeighting(task, round));
  if (task.privacy().unit() != "none") {
    if (round.weight_bits > 0 && Guard("policy.weights_with_privacy")) {
      return Mismatch(
          "weighting = \"examples\" with privacy on would reveal how many examples a device has, "
          "without noise");
    }
  }
  return CheckCounts(task, round);
}

Status CheckCohort(const v1::PolicyConfig& policy, const secagg::RoundConfig& round) {
  if ((round.min_cohort < policy.min_cohort() || round.min_survivors < policy.min_cohort()) &&
      Guard("policy.min_cohort")) {
    return Forbidden(Join("the round would open the sum of ", round.min_survivors,
                          " survivors of a cohort of ", round.min_cohort, ", min_cohort is ",
                          policy.min_cohort()));
  }
  if (round.groups > 1 && !policy.allow_groups() && Guard("policy.allow_groups")) {
    return Forbidden(Join("the job splits a round into ", round.groups,
                          " sums (robust.groups), allow_groups is not set"));
  }
  if (policy.require_malicious_level() && round.level != secagg::ThreatLevel::kMalicious &&
      Guard("policy.require_malicious_level")) {
    return Forbidden("the job asks for level = \"curious\", require_malicious_level is set");
  }
  if (round.corrupt_fraction < policy.min_corrupt_fraction() &&
      Guard("policy.min_corrupt_fraction")) {
    return Forbidden(Join("the job's corrupt_fraction is ", round.corrupt_fraction,
                          ", min_corrupt_fraction is ", policy.min_corrupt_fraction()));
  }
  return OkStatus();
}

Status CheckQuota(const v1::PolicyConfig& policy, std::uint64_t rounds_last_day) {
  if (rounds_last_day < policy.max_rounds_per_day() || !Guard("policy.max_rounds_per_day")) {
    return OkStatus();
  }
  return ResourceExhausted(Join("POLICY: this device took part in ", rounds_last_day,
                                " rounds in the last 24 hours, max_rounds_per_day is ",
                                policy.max_rounds_per_day()));
}

Status CheckData(const v1::PolicyConfig& policy, std::uint64_t examples) {
  const std::uint64_t fewest = std::max<std::uint64_t>(policy.min_local_examples(), 1);
  const bool enough = examples >= fewest && examples <= kMaxExamples;
  if (enough || !Guard("policy.min_local_examples")) return OkStatus();
  return PermissionDenied(Join("DATA: this device has ", examples,
                               " examples, min_local_examples is ", fewest, "; at most ",
                               kMaxExamples, " are supported"));
}

StatusOr<privacy::Setting> SettingAllowed(const v1::PolicyConfig& policy,
                                          const v1::TaskSpec& task) {
  if (task.privacy().unit().empty() && Guard("policy.privacy_unit")) {
    return Mismatch("the task has no privacy.unit, expected none, example or client");
  }
  StatusOr<privacy::Setting> setting = privacy::SettingOf(task);
  if (!setting.ok()) return Mismatch("the task's " + std::string(MessageOf(setting.status())));
  if (!setting->with_privacy()) {
    if (policy.allow_without_privacy() || !Guard("policy.allow_without_privacy")) return setting;
    return Forbidden("the job asks for privacy.unit = \"none\", allow_without_privacy is not set");
  }
  static const std::vector<std::string> usual = {"local", "distributed"};
  const auto& listed = policy.noise();
  const std::string source = task.privacy().noise().empty() ? "local" : task.privacy().noise();
  const bool allowed = listed.empty()
                           ? std::find(usual.begin(), usual.end(), source) != usual.end()
                           : std::find(listed.begin(), listed.end(), source) != listed.end();
  if (!allowed && Guard("policy.noise_source")) {
    return Forbidden(Join("the job's privacy.noise is \"", source,
                          "\", which noise does not list; ", privacy::Assumption(*setting)));
  }
  return setting;
}

StatusOr<model::TrainingPlan> TrainingOfRound(const v1::PolicyConfig& policy,
                                              const v1::TaskSpec& task, bool sample_examples,
                                              std::uint64_t examples) {
  StatusOr<model::TrainingPlan> plan =
      model::PlanOf(task.training(), sample_examples, examples, task.privacy().sampling_rate());
  if (!plan.ok()) return Mismatch("the task's " + TextOf(plan.status()));
  if (plan->steps > policy.max_local_steps() && Guard("policy.max_local_steps")) {
    return Forbidden(Join("the job asks for ", plan->steps, " local steps, max_local_steps is ",
                          policy.max_local_steps()));
  }
  return plan;
}

Status CheckPreparation(const v1::TaskSpec& task, const std::vector<std::string>& statistics) {
  const std::string& unit = task.privacy().unit();
  // Questions are about the cells as they are, before any preparation.
  const bool covered = statistics.empty() || unit == "none" || unit == "client" ||
                       measure::KindOf(task) == measure::Kind::kAnalyse;
  if (covered || !Guard("policy.preparation")) return OkStatus();
  return Forbidden(
      "the job protects single examples (privacy.unit = \"example\"), and this device fills in or "
      "scales its table by the mean, median or spread of its own examples, which that does not "
      "cover; its owner has to give data.csv.means and stddevs that are public, or use missing = "
      "\"zero\" or \"drop\" without scaling");
}

Status CheckClip(const v1::PolicyConfig& policy, double clip_norm) {
  const bool within = clip_norm > 0 && clip_norm <= policy.max_clip_norm();
  if (within || !Guard("policy.max_clip_norm")) return OkStatus();
  return Forbidden(
      Join("the job's clip_norm is ", clip_norm, ", max_clip_norm is ", policy.max_clip_norm()));
}

}  // namespace tutti::policy

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/config/rules.h"
#include "common/config/validate.h"
#include "common/config/validate_adversary.h"
#include "common/config/validate_analysis.h"
#include "common/config/validate_counts.h"
#include "common/config/validate_evaluate.h"
#include "common/config/validate_fairness.h"
#include "common/config/validate_model.h"
#include "common/model/architecture.h"
#include "common/privacy/setting.h"
#include "common/secagg/config.h"
#include "common/secagg/graph.h"
#include "common/strategy/class_weights.h"
#include "common/strategy/clusters.h"
#include "common/strategy/packing.h"
#include "common/strategy/schedule.h"
#include "common/strategy/staleness.h"
#include "common/strategy/sum_vector.h"

namespace tutti::config {
namespace {

constexpr double kMaxCohort = 10000;
constexpr double kUsualStalenessPower = 0.5;  // the schema's default

void CheckTraining(const v1::TrainingSpec& training, Rules& rules) {
  if (training.local_steps() > 0 && training.local_epochs() > 0) {
    rules.Add({"training.local_epochs", "training.local_steps"},
              Join("found ", training.local_epochs(),
                   " beside local_steps = ", training.local_steps(), "; keep one of the two"));
  }
  if (training.local_steps() == 0 && training.local_epochs() == 0) {
    rules.Add({"training.local_steps", "training.local_epochs"},
              "found neither local_steps nor local_epochs; set one of the two");
  }
  if (training.optimiser() == "adam" && training.momentum() > 0) {
    rules.Add({"training.momentum", "training.optimiser"},
              "found with optimiser = \"adam\", which has its own; remove it, or use \"sgd\"");
  }
}

// What clients and coordinator refuse together.
void CheckStrategy(const v1::JobConfig& job, Rules& rules) {
  const v1::TaskSpec task = TaskOf(job, 0);
  if (const Status status = strategy::CheckSchedule(task); !status.ok()) {
    rules.Add({"training.schedule", "training.final_learning_rate", "training.plateau_rounds",
               "evaluation.by"},
              std::string(MessageOf(status)));
  }
  if (const Status status = strategy::CheckClassWeights(task); !status.ok()) {
    rules.Add({"training.class_weights", "training.loss", "model.classes", "fairness.rule"},
              std::string(MessageOf(status)));
  }
  if (!strategy::ClusterProblems(task).empty()) return;  // reported with the model
  if (const Status status = strategy::CheckStrategy(task); !status.ok()) {
    const bool agnostic = job.training().agnostic_rate() > 0;
    rules.Add({agnostic ? "training.agnostic_rate" : "training.correction", "training.correction",
               "training.fairness_power", "training.proximal", "privacy.unit"},
              std::string(MessageOf(status)));
  }
  if (const Status status = strategy::CheckPacking(task); !status.ok()) {
    rules.Add({"secure_aggregation.sampled_fraction", "secure_aggregation.rotate",
               "training.correction", "privacy.noise", "privacy.unit", "kind"},
              std::string(MessageOf(status)));
  }
  if (const Status status = strategy::CheckStaleness(task); !status.ok()) {
    rules.Add({"training.max_staleness", "training.staleness_power"},
              std::string(MessageOf(status)));
  }
  if (job.training().max_staleness() == 0 && rules.IsSet("training.staleness_power") &&
      job.training().staleness_power() != kUsualStalenessPower) {
    rules.Add({"training.staleness_power", "training.max_staleness"},
              Join("found ", job.training().staleness_power(),
                   " with max_staleness = 0, so no update is ever late; set max_staleness, or "
                   "remove it"));
  }
  const v1::ServerOptimiserSpec& server = job.server();
  const bool adaptive = !server.optimiser().empty() && server.optimiser() != "fedavg";
  if (!adaptive) return;
  if (job.privacy().noise() == "tree") {
    rules.Add({"server.optimiser", "privacy.noise"},
              Join("found \"", server.optimiser(),
                   "\" with noise = \"tree\", whose noise is small only in the plain sum of all "
                   "updates; use \"fedavg\""));
  }
}

void CheckPrivacy(const v1::JobConfig& job, Rules& rules) {
  const v1::PrivacySpec& privacy = job.privacy();
  const bool noise = privacy.noise_multiplier() > 0;
  const bool target = privacy.target_epsilon() > 0;
  if (privacy.unit() != "none" && noise && target) {
    rules.Add({"privacy.noise_multiplier", "privacy.target_epsilon", "privacy.unit"},
              "found beside target_epsilon; keep one: the noise gives the epsilon, or the epsilon "
              "the noise");
  }
  if (privacy.unit() != "none" && !noise && !target) {
    rules.Add({"privacy.target_epsilon", "privacy.noise_multiplier", "privacy.unit"},
              "found neither target_epsilon nor noise_multiplier; set one, or unit = \"none\" for "
              "training without privacy");
  }
  if (privacy.unit() == "none" && noise) {
    rules.Add({"privacy.noise_multiplier", "privacy.unit"},
              "found with unit = \"none\"; remove it, or set unit = \"example\"");
  }
  if (privacy.unit() == "none" && target) {
    rules.Add({"privacy.target_epsilon", "privacy.unit"},
              "found with unit = \"none\"; remove it, or set unit = \"example\"");
  }
  if (privacy.planned_rounds() > job.rounds()) {
    rules.Add({"privacy.planned_rounds", "rounds"},
              Join("found ", privacy.planned_rounds(), ", but the job has ", job.rounds(),
                   " rounds; lower it, or 0 for all of them"));
  }
}

// Settings that only some kinds of privacy have.
void CheckPrivacyKind(const v1::JobConfig& job, Rules& rules) {
  const v1::PrivacySpec& privacy = job.privacy();
  const StatusOr<privacy::Setting> setting = privacy::SettingOf(privacy);
  if (!setting.ok()) return;  // reported already
  if (privacy.target_quantile() > 0 && !setting->in_ring()) {
    rules.Add({"privacy.target_quantile", "privacy.noise", "privacy.unit"},
              "found where the noise is not in the sum; adaptive clipping needs unit = \"client\", "
              "or noise other than \"local\"; remove it");
  }
  if (privacy.sampling_rate() > 0 && setting->unit != privacy::Unit::kExample) {
    rules.Add({"privacy.sampling_rate", "privacy.unit"},
              Join("found with unit = \"", NameOf(setting->unit),
                   "\"; only examples are sampled, remove it"));
  }
  if (setting->unit == privacy::Unit::kNone && setting->noise != privacy::NoiseSource::kLocal) {
    rules.Add({"privacy.noise", "privacy.unit"},
              "found with unit = \"none\"; remove it, or choose what is protected");
  }
  if (setting->in_ring() && job.robust().max_update_norm() > 0) {
    rules.Add({"robust.max_update_norm", "privacy.unit", "privacy.noise"},
              "found with noise in the sum, which would break it; clients' updates are clipped to "
              "privacy.clip_norm there, remove it");
  }
  if (setting->noise_by_coordinator() && job.robust().groups() > 1) {
    rules.Add({"robust.groups", "privacy.noise"},
              "found with noise of the coordinator, which is added to one sum; use groups = 1");
  }
}

void CheckCohort(const v1::JobConfig& job, Rules& rules) {
  const v1::CohortSpec& cohort = job.cohort();
  if (cohort.min_clients() > cohort.size()) {
    rules.Add({"cohort.min_clients", "cohort.size"},
              Join("found ", cohort.min_clients(), ", more than size = ", cohort.size(),
                   "; lower it, or raise size"));
  }
  const double invited = std::ceil(cohort.size() * cohort.over_selection());
  if (invited > kMaxCohort) {
    rules.Add({"cohort.over_selection", "cohort.size"},
              Join("size * over_selection is ", static_cast<std::uint64_t>(invited),
                   " clients, expected at most 10000; lower one of the two"));
  }
}

void CheckSecureAggregation(const v1::JobConfig& job, Rules& rules) {
  const v1::SecureAggregationSpec& secagg = job.secure_aggregation();
  const bool malicious = secagg.level() == "malicious";
  const double lost = secagg.corrupt_fraction() + (malicious ? 2 : 1) * secagg.dropout_fraction();
  if (lost >= 1) {
    rules.Add({"secure_aggregation.dropout_fraction", "secure_aggregation.corrupt_fraction",
               "secure_aggregation.level"},
              Join("corrupt_fraction + ", malicious ? "2 * " : "", "dropout_fraction is ", lost,
                   ", expected less than 1 at level \"", secagg.level(),
                   "\": too few honest clients would stay to open the sum; lower one of the two"));
  }
  if (secagg.weighting() == "examples" && job.privacy().unit() != "none") {
    rules.Add({"secure_aggregation.weighting", "privacy.unit"},
              "found \"examples\" with privacy on: the weights would reveal data that no noise "
              "protects; use \"uniform\", or privacy.unit = \"none\"");
  }
}

void CheckRobust(const v1::JobConfig& job, Rules& rules) {
  const v1::RobustSpec& robust = job.robust();
  if (robust.rule() != "mean" && robust.groups() < 3) {
    rules.Add({"robust.rule", "robust.groups"},
              Join("found \"", robust.rule(), "\" with groups = ", robust.groups(),
                   ", expected at least 3 groups: of two nobody can tell which is wrong; raise "
                   "groups, or set rule = \"mean\""));
  }
  const auto needed = std::uint64_t{robust.groups()} * job.cohort().min_clients();
  if (robust.groups() > 1 && needed > job.cohort().size()) {
    rules.Add({"robust.groups", "cohort.size", "cohort.min_clients"},
              Join("found ", robust.groups(), " groups of at least min_clients = ",
                   job.cohort().min_clients(), ", together ", needed,
                   ", more than size = ", job.cohort().size(), "; lower groups, or raise size"));
  }
}

void CheckEvaluation(const v1::JobConfig& job, Rules& rules) {
  const v1::EvaluationSpec& evaluation = job.evaluation();
  if (evaluation.every() == 0 &&
      (evaluation.patience() > 0 || evaluation.max_loss_increase() > 0)) {
    rules.Add({"evaluation.every", "evaluation.patience", "evaluation.max_loss_increase"},
              "found 0, so no model is ever evaluated, with patience or max_loss_increase, which "
              "judge by evaluations; set it to 1");
  }
  if (evaluation.max_loss_increase() > 0 && job.privacy().noise() == "tree") {
    rules.Add({"evaluation.max_loss_increase", "privacy.noise"},
              "found with noise = \"tree\", whose rounds cannot be done again; remove it");
  }
}

void CheckNoQuestions(const v1::JobConfig& job, Rules& rules) {
  if (job.questions().empty()) return;
  rules.Add({"questions", "kind"}, Join("found with kind = \"", Escaped(job.kind(), 40),
                                        "\"; only \"analyse\" answers them, remove them"));
}

// What the protocol itself would refuse when the job is submitted.
void CheckRounds(const v1::JobConfig& job, Rules& rules) {
  std::uint64_t values = 0;  // without a model
  if (job.kind() != "analyse") {
    const auto layout = model::LayoutOf(job.model());
    if (!layout.ok()) return;  // reported already, or known only when the job is submitted
    values = ValuesIn(*layout, model::Section::kCommon);
  }
  if (!rules.Sound({"name", "model", "training", "privacy", "secure_aggregation", "cohort",
                    "robust", "measure", "fairness", "adversary", "questions"})) {
    return;
  }
  StatusOr<secagg::RoundConfig> fitted = RoundTemplate(job, values);
  if (!fitted.ok()) {
    rules.Add({"privacy.noise", "privacy.noise_multiplier", "privacy.target_epsilon",
               "privacy.sampling_rate", "secure_aggregation.value_bits",
               "secure_aggregation.value_clip", "cohort.min_clients", "training.local_steps"},
              std::string(MessageOf(fitted.status())));
    return;
  }
  secagg::RoundConfig round = *std::move(fitted);
  round.round = 1;
  round.attempt = 1;
  if (round.values > secagg::kMaxValues) {
    rules.Add({"model.architecture", "model.layers", "model.input_shape"},
              Join("the model has ", round.values, " values, at most ", secagg::kMaxValues,
                   " fit into a masked vector; make it smaller"));
  } else if (round.level == secagg::ThreatLevel::kMalicious &&
             round.max_cohort > secagg::kMaxMaliciousCohort) {
    rules.Add({"cohort.size", "secure_aggregation.level"},
              Join("size * over_selection is ", round.max_cohort, " clients, expected at most ",
                   secagg::kMaxMaliciousCohort,
                   " at level \"malicious\"; lower it, or use level \"curious\""));
  } else if (const Status status = secagg::CheckRoundConfig(round); !status.ok()) {
    rules.Add({"secure_aggregation.dropout_fraction", "secure_aggregation.corrupt_fraction",
               "secure_aggregation.privacy_bits", "secure_aggregation.liveness_bits",
               "secure_aggregation.value_clip", "secure_aggregation.value_bits",
               "secure_aggregation.level", "cohort.min_clients", "cohort.size"},
              "no round is safe with these settings: " + std::string(MessageOf(status)));
  }
}

}  // namespace

void Validate(const v1::JobConfig& config, LoadResult& result) {
  const bool analysis = config.kind() == "analyse";
  if (analysis) ForgetModel(result);
  Rules rules(result);
  if (!config.name().empty() && !IsSafeName(config.name())) {
    rules.Add({"name"}, Join("found \"", Escaped(config.name(), 80),
                             "\", expected 1 to 64 characters of a-z 0-9 . _ - that start with a "
                             "letter or digit"));
  }
  if (analysis) {
    CheckAnalysis(config, rules);
  } else {
    CheckNoQuestions(config, rules);
    CheckModel(config, rules);
    if (config.kind() != "evaluate") {
      CheckTraining(config.training(), rules);
      CheckStrategy(config, rules);
    }
    CheckEvaluate(config, rules);
    CheckEvaluation(config, rules);
  }
  CheckPrivacy(config, rules);
  CheckPrivacyKind(config, rules);
  CheckCohort(config, rules);
  CheckSecureAggregation(config, rules);
  CheckRobust(config, rules);
  CheckAdversary(config, rules);
  CheckFairness(config, rules);
  CheckTrainingCounts(config, rules);
  CheckRounds(config, rules);
}

Status CheckJob(const v1::JobConfig& config) {
  LoadResult result{.file = "message", .readable = true, .problems = CheckRanges(config)};
  Validate(config, result);
  if (result.problems.empty()) {
    return OkStatus();
  }
  std::vector<std::string> lines;
  for (const Problem& problem : result.problems) {
    lines.push_back(problem.key + ": " + problem.text);
  }
  return InvalidArgument(JoinWith(lines, "\n"));
}

}  // namespace tutti::config

#include "common/config/validate_evaluate.h"

#include <string>
#include <vector>

#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/measure/counts.h"

namespace tutti::config {
namespace {

constexpr std::uint32_t kDefaultBins = 20;

// A key that only says how models are trained, and whether it says anything.
struct TrainingKey {
  std::string key;
  bool set = false;
};

bool Says(const std::string& word, std::string_view neutral) {
  return !word.empty() && word != neutral;
}

std::vector<TrainingKey> TrainingKeysOf(const v1::JobConfig& job) {
  const v1::TrainingSpec& training = job.training();
  const v1::PrivacySpec& privacy = job.privacy();
  const v1::SecureAggregationSpec& secagg = job.secure_aggregation();
  return {{"training.correction", Says(training.correction(), "none")},
          {"training.proximal", training.proximal() > 0},
          {"training.fairness_power", training.fairness_power() > 0},
          {"training.agnostic_rate", training.agnostic_rate() > 0},
          {"training.max_staleness", training.max_staleness() > 0},
          {"training.average_decay", training.average_decay() > 0},
          {"training.class_weights", !training.class_weights().empty()},
          {"training.schedule", Says(training.schedule(), "constant")},
          {"server.optimiser", Says(job.server().optimiser(), "fedavg")},
          {"robust.rule", Says(job.robust().rule(), "mean")},
          {"robust.groups", job.robust().groups() > 1},
          {"robust.max_update_norm", job.robust().max_update_norm() > 0},
          {"fairness.rule", Says(job.fairness().rule(), "none")},
          {"evaluation.patience", job.evaluation().patience() > 0},
          {"evaluation.max_loss_increase", job.evaluation().max_loss_increase() > 0},
          {"privacy.sampling_rate", privacy.sampling_rate() > 0},
          {"privacy.target_quantile", privacy.target_quantile() > 0},
          {"privacy.count_stddev", privacy.count_stddev() > 0},
          {"privacy.counts_noise_multiplier", privacy.counts_noise_multiplier() > 0},
          {"secure_aggregation.weighting", Says(secagg.weighting(), "uniform")},
          {"secure_aggregation.sampled_fraction",
           secagg.sampled_fraction() > 0 && secagg.sampled_fraction() < 1},
          {"secure_aggregation.rotate", secagg.rotate()},
          {"model.personal", !job.model().personal().empty()}};
}

void CheckNoise(const v1::PrivacySpec& privacy, Rules& rules) {
  if (privacy.unit() == "client") {
    rules.Add({"privacy.unit", "kind"},
              "found \"client\" with kind = \"evaluate\", whose noise is sized by what one example "
              "changes; use \"example\", or \"none\"");
  }
  if (privacy.noise() == "central" || privacy.noise() == "tree") {
    rules.Add({"privacy.noise", "kind"},
              Join("found \"", privacy.noise(),
                   "\" with kind = \"evaluate\", where the devices add the noise to their counts; "
                   "use \"local\" or \"distributed\""));
  }
}

// At the key that the error begins with.
void CheckCounts(const v1::JobConfig& job, Rules& rules) {
  const Status status = measure::LayoutOf(TaskOf(job, 0)).status();
  if (status.ok()) return;
  const std::string text(MessageOf(status));
  const std::string word = text.substr(0, text.find(' '));
  rules.Add({word.find('.') == std::string::npos ? "measure.bins" : word, "kind"}, text);
}

}  // namespace

void CheckEvaluate(const v1::JobConfig& job, Rules& rules) {
  if (job.kind() != "evaluate") {
    const std::uint32_t bins = job.measure().bins();
    if (bins != 0 && bins != kDefaultBins) {
      rules.Add({"measure.bins", "kind"}, Join("found ", bins, " with kind = \"", job.kind(),
                                               "\"; only \"evaluate\" reads it, remove it"));
    }
    return;
  }
  if (job.warm_start().empty()) {
    rules.Add({"warm_start", "kind"},
              "missing: kind = \"evaluate\" measures the model of a safetensors file; name it, for "
              "instance one of tutti model export");
  }
  for (const TrainingKey& one : TrainingKeysOf(job)) {
    if (!one.set) continue;
    rules.Add({one.key, "kind"},
              "found with kind = \"evaluate\", which trains nothing and sends counts alone; "
              "remove it");
  }
  CheckNoise(job.privacy(), rules);
  CheckCounts(job, rules);
}

}  // namespace tutti::config

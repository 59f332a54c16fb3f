#include "common/config/validate_counts.h"

#include <string>

#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/measure/counts.h"

namespace tutti::config {
namespace {

void CheckByClients(const v1::JobConfig& job, Rules& rules) {
  if (job.evaluation().every() != 1) {
    rules.Add({"evaluation.every", "evaluation.by"},
              Join("found ", job.evaluation().every(),
                   " with by = \"clients\", who count in every round; set it to 1, or remove it"));
  }
  if (const Status status = measure::LayoutOf(TaskOf(job, 0)).status(); !status.ok()) {
    rules.Add({"evaluation.by", "model.architecture", "model.classes", "fairness.groups",
               "fairness.positive_class", "secure_aggregation.value_clip"},
              std::string(MessageOf(status)));
  }
}

// `asker`: what asks for the counts, and the key it does so with.
void CheckPrivacy(const v1::PrivacySpec& privacy, const std::string& asker, const std::string& key,
                  Rules& rules) {
  const bool noise = privacy.counts_noise_multiplier() > 0;
  if (privacy.noise() == "central" || privacy.noise() == "tree") {
    rules.Add({"privacy.noise", key},
              Join("found \"", privacy.noise(), "\" with ", asker,
                   ", and noise on what clients count is added by the clients; use \"local\" or "
                   "\"distributed\", or remove ",
                   asker));
  } else if (privacy.unit() == "client") {
    rules.Add({"privacy.unit", key},
              Join("found \"client\" with ", asker,
                   ": one client changes the counts by as many examples as it has, which no noise "
                   "would hide; use \"example\", or remove ",
                   asker));
  } else if (privacy.unit() == "none" && noise) {
    rules.Add({"privacy.counts_noise_multiplier", "privacy.unit"},
              "found with unit = \"none\", which promises nothing; remove it, or set unit = "
              "\"example\"");
  } else if (privacy.unit() != "none" && !noise) {
    rules.Add({"privacy.counts_noise_multiplier", "privacy.unit", key},
              Join("found 0 with ", asker,
                   " and unit = \"example\": the counts would leave without noise; set it, for "
                   "instance to 10, and see docs/fairness.md for how"));
  }
}

}  // namespace

void CheckTrainingCounts(const v1::JobConfig& job, Rules& rules) {
  if (job.kind() == "analyse") return;
  const bool by_clients = job.evaluation().by() == "clients";
  if (job.kind() == "evaluate") {
    if (!by_clients) return;
    rules.Add({"evaluation.by", "kind"},
              "found \"clients\" with kind = \"evaluate\", where they evaluate anyway; remove it");
    return;
  }
  const bool groups = !job.fairness().attribute().empty();
  if (by_clients) CheckByClients(job, rules);
  if (groups || by_clients) {
    CheckPrivacy(job.privacy(), groups ? "[fairness]" : "evaluation.by = \"clients\"",
                 groups ? "fairness.attribute" : "evaluation.by", rules);
  } else if (job.privacy().counts_noise_multiplier() > 0) {
    rules.Add({"privacy.counts_noise_multiplier", "fairness.attribute"},
              "found without fairness.attribute and evaluation.by = \"clients\": nothing is "
              "counted; remove it, or set one of the two");
  }
}

}  // namespace tutti::config

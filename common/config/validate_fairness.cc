#include "common/config/validate_fairness.h"

#include <string>
#include <string_view>

#include "common/base/text.h"
#include "common/measure/groups.h"

namespace tutti::config {
namespace {

struct KeyInUse {
  std::string_view name;
  bool in_use;  // not at its default
};

bool HasRule(const v1::FairnessSpec& fairness) {
  return !fairness.rule().empty() && fairness.rule() != "none";
}

// What says nothing without a column of groups.
void CheckWithoutGroups(const v1::JobConfig& job, Rules& rules) {
  const v1::FairnessSpec& fairness = job.fairness();
  const bool trains = job.kind() != "evaluate";  // which refuses the rest by itself
  for (const KeyInUse& key : {KeyInUse{"rule", trains && HasRule(fairness)},
                              KeyInUse{"groups", !fairness.groups().empty()}}) {
    if (!key.in_use) continue;
    rules.Add({Join("fairness.", key.name), "fairness.attribute"},
              "found without fairness.attribute, the column of data.sensitive that says who is in "
              "which group; name it, or remove this");
  }
}

// Numbers that the rule does not read.
void CheckUnread(const v1::FairnessSpec& fairness, Rules& rules) {
  const std::string& rule = fairness.rule();
  const bool by_gap = rule == "penalty" || rule == "constraint";
  const auto unread = [&](std::string_view name, std::string_view readers) {
    rules.Add({Join("fairness.", name), "fairness.rule"},
              Join("found with fairness.rule = \"", rule.empty() ? "none" : rule, "\"; only ",
                   readers, " it, remove it"));
  };
  if (!by_gap && fairness.strength() != 1)
    unread("strength", "\"penalty\" and \"constraint\" read");
  if (rule != "constraint" && fairness.tolerance() != 0.02) {
    unread("tolerance", "\"constraint\" reads");
  }
  if (!HasRule(fairness) && fairness.ramp_rounds() > 0)
    unread("ramp_rounds", "the other rules read");
  if (by_gap && fairness.strength() == 0) {
    rules.Add({"fairness.strength", "fairness.rule"},
              Join("found 0 with fairness.rule = \"", rule,
                   "\", which then changes nothing; raise it, or set rule = \"none\""));
  }
}

// Strategies whose clients do not minimise the loss that the tilts are made for, or whose counts
// are not those of the round's model.
void CheckStrategy(const v1::JobConfig& job, Rules& rules) {
  const v1::TrainingSpec& training = job.training();
  const std::string rule = Join("\"", job.fairness().rule(), "\"");
  if (training.max_staleness() > 0) {
    rules.Add({"training.max_staleness", "fairness.attribute"},
              "found with [fairness]: counts that come late are of another model; remove one of "
              "the two");
  }
  if (!HasRule(job.fairness())) return;
  for (const KeyInUse& key : {KeyInUse{"fairness_power", training.fairness_power() > 0},
                              KeyInUse{"agnostic_rate", training.agnostic_rate() > 0}}) {
    if (!key.in_use) continue;
    rules.Add({Join("training.", key.name), "fairness.rule"},
              Join("found with fairness.rule = ", rule,
                   ": clients that count by their loss shift the groups' shares, which the rule "
                   "needs as they are; choose one of the two"));
  }
  if (training.correction() == "ditto") {
    rules.Add({"training.correction", "fairness.rule"},
              Join("found \"ditto\" with fairness.rule = ", rule,
                   ": what is counted is the common model, the personal ones would stay as they "
                   "are; choose one of the two"));
  }
  if (!job.adversary().kind().empty() && job.adversary().kind() != "none") {
    rules.Add({"adversary.kind", "fairness.rule"},
              Join("found with fairness.rule = ", rule,
                   ": the groups' rates are counted on real examples, the model would learn on "
                   "others; choose one of the two"));
  }
  if (!job.robust().rule().empty() && job.robust().rule() != "mean") {
    rules.Add({"robust.rule", "fairness.rule"},
              Join("found \"", job.robust().rule(), "\" with fairness.rule = ", rule,
                   ": counts are added up, so a client that lies would steer the rule in spite of "
                   "it; use \"mean\", or fairness.rule = \"none\""));
  }
}

}  // namespace

void CheckFairness(const v1::JobConfig& job, Rules& rules) {
  if (job.kind() == "analyse") return;
  const v1::FairnessSpec& fairness = job.fairness();
  CheckUnread(fairness, rules);
  if (fairness.attribute().empty()) CheckWithoutGroups(job, rules);
  if (fairness.attribute().empty() || job.kind() == "evaluate") return;
  if (job.training().loss() != "cross_entropy" && !job.training().loss().empty()) {
    rules.Add({"fairness.attribute", "training.loss"},
              Join("found with training.loss = \"", Escaped(job.training().loss(), 40),
                   "\": only models that choose between classes treat groups by a yes or no; "
                   "remove [fairness]"));
    return;
  }
  v1::TaskSpec task;
  *task.mutable_fairness() = fairness;
  *task.mutable_model() = job.model();
  if (const Status status = measure::CheckGroups(task); !status.ok()) {
    const std::string text(MessageOf(status));
    const bool of_class = text.starts_with("fairness.positive_class");
    rules.Add({of_class ? "fairness.positive_class" : "fairness.groups", "fairness.attribute",
               "model.classes"},
              text);
  }
  if (fairness.ramp_rounds() > job.rounds()) {
    rules.Add({"fairness.ramp_rounds", "rounds"},
              Join("found ", fairness.ramp_rounds(), ", but the job has ", job.rounds(),
                   " rounds; lower it"));
  }
  CheckStrategy(job, rules);
}

}  // namespace tutti::config

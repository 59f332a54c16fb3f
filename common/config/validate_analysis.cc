#include "common/config/validate_analysis.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "common/base/text.h"
#include "common/config/round_template.h"
#include "common/measure/analysis.h"

namespace tutti::config {
namespace {

bool IsOf(const std::string& key, std::string_view section) {
  return key == section || key.starts_with(std::string(section) + ".");
}

// Sections that say how a model is made, trained or measured.
void CheckNoModel(const v1::JobConfig& job, Rules& rules) {
  constexpr std::array<std::string_view, 7> kSections = {
      "model", "training", "server", "evaluation", "fairness", "adversary", "measure"};
  for (const std::string_view section : kSections) {
    if (const std::string set = rules.FirstSet(section); !set.empty()) {
      rules.Add({set}, "found with kind = \"analyse\", which has no model; remove the section");
    }
  }
  // Of jobs that did not come from a file.
  if (rules.FirstSet("model").empty() &&
      (!job.model().architecture().empty() || !job.model().input_shape().empty())) {
    rules.Add({"model"}, "found with kind = \"analyse\", which has no model; remove the section");
  }
  if (rules.FirstSet("fairness").empty() && !job.fairness().attribute().empty()) {
    rules.Add({"fairness.attribute"}, "found with kind = \"analyse\"; remove it");
  }
  if (!job.warm_start().empty()) {
    rules.Add({"warm_start", "kind"},
              "found with kind = \"analyse\", which has no model; remove it");
  }
  if (job.rounds() > 1) {
    rules.Add({"rounds", "kind"},
              Join("found ", job.rounds(),
                   " with kind = \"analyse\", expected 1: the questions are answered by one sum"));
  }
}

void CheckQuestionKeys(const v1::JobConfig& job, Rules& rules) {
  const v1::TaskSpec task = TaskOf(job, 0);
  for (const measure::QuestionProblem& problem : measure::ProblemsOfQuestions(task)) {
    rules.Add({problem.key, problem.key.substr(0, problem.key.find('.'))}, problem.text);
  }
  for (int i = 0; i < job.questions_size(); ++i) {
    const std::string key = Join("questions[", i, "].bins");
    if (rules.IsSet(key) && job.questions(i).statistic() != "histogram") {
      rules.Add({key}, Join("found with statistic = \"", Escaped(job.questions(i).statistic(), 40),
                            "\"; only \"histogram\" reads it, remove it"));
    }
  }
  if (!rules.Sound({"questions"})) return;
  if (const auto layout = measure::LayoutOf(task); !layout.ok()) {
    rules.Add({"questions"}, std::string(MessageOf(layout.status())));
  }
}

// Counts are whole numbers beside an empty update: noise on them is the clients' own.
void CheckNoise(const v1::JobConfig& job, Rules& rules) {
  const v1::PrivacySpec& privacy = job.privacy();
  if (privacy.unit() == "client") {
    rules.Add({"privacy.unit", "kind"},
              "found \"client\" with kind = \"analyse\": all rows of a client together would drown "
              "in the noise; set \"example\" or \"none\"");
  }
  if (privacy.unit() != "none" && (privacy.noise() == "central" || privacy.noise() == "tree")) {
    rules.Add({"privacy.noise", "kind"},
              Join("found \"", privacy.noise(),
                   "\" with kind = \"analyse\"; counts get the clients' noise, set \"local\" or "
                   "\"distributed\""));
  }
  const std::array<std::pair<std::string, bool>, 6> unread{
      {{"privacy.clip_norm", rules.IsSet("privacy.clip_norm")},
       {"privacy.sampling_rate", privacy.sampling_rate() > 0},
       {"privacy.target_quantile", privacy.target_quantile() > 0},
       {"privacy.clip_learning_rate", rules.IsSet("privacy.clip_learning_rate")},
       {"privacy.count_stddev", privacy.count_stddev() > 0},
       {"privacy.counts_noise_multiplier", privacy.counts_noise_multiplier() > 0}}};
  for (const auto& [key, found] : unread) {
    if (!found) continue;
    rules.Add({key, "kind"},
              "found with kind = \"analyse\", which trains nothing; remove it: noise_multiplier or "
              "target_epsilon say how much noise is on the counts");
  }
}

void CheckSum(const v1::JobConfig& job, Rules& rules) {
  const v1::SecureAggregationSpec& secagg = job.secure_aggregation();
  const std::array<std::pair<std::string, bool>, 6> unread{
      {{"secure_aggregation.weighting", secagg.weighting() == "examples"},
       {"secure_aggregation.sampled_fraction",
        secagg.sampled_fraction() > 0 && secagg.sampled_fraction() < 1},
       {"secure_aggregation.rotate", secagg.rotate()},
       {"robust.groups", job.robust().groups() > 1},
       {"robust.rule", !job.robust().rule().empty() && job.robust().rule() != "mean"},
       {"robust.max_update_norm", job.robust().max_update_norm() > 0}}};
  for (const auto& [key, found] : unread) {
    if (!found) continue;
    rules.Add({key, "kind"},
              "found with kind = \"analyse\", whose counts are added as they are; remove it");
  }
}

}  // namespace

void ForgetModel(LoadResult& result) {
  std::erase_if(result.problems, [](const Problem& problem) {
    return IsOf(problem.key, "model") || IsOf(problem.key, "training");
  });
}

void CheckAnalysis(const v1::JobConfig& job, Rules& rules) {
  CheckNoModel(job, rules);
  CheckQuestionKeys(job, rules);
  CheckNoise(job, rules);
  CheckSum(job, rules);
}

}  // namespace tutti::config

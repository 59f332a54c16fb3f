#include "common/strategy/clusters.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/model/architecture.h"

namespace tutti::strategy {
namespace {

constexpr double kRoundingSteps = 8;
constexpr double kPrivateShare = 0.1;

class Problems {
 public:
  void Refuse(bool found, std::string key, std::string text) {
    if (found) found_.push_back({std::move(key), std::move(text)});
  }
  std::vector<ClusterProblem> Take() { return std::move(found_); }

 private:
  std::vector<ClusterProblem> found_;
};

void CheckStep(const v1::TrainingSpec& training, Problems& problems) {
  problems.Refuse(training.optimiser() == "adam", "training.optimiser",
                  "found \"adam\" where clusters are found, whose one step is a mean; use \"sgd\"");
  problems.Refuse(training.learning_rate() != 1, "training.learning_rate",
                  Join("found ", training.learning_rate(),
                       " where clusters are found, whose step is exactly a mean with 1; set 1"));
  problems.Refuse(training.local_steps() != 1, "training.local_steps",
                  "found no single step where clusters are found: a round is one step over all of "
                  "a client's examples; set local_steps = 1, remove local_epochs, and make "
                  "batch_size at least the examples of any client");
  const std::string& schedule = training.schedule();
  problems.Refuse(!schedule.empty() && schedule != "constant", "training.schedule",
                  Join("found \"", Escaped(schedule, 40),
                       "\" where clusters are found, whose learning rate is always 1; remove it"));
  struct Number {
    const char* key;
    double value;
  };
  for (const Number& number :
       {Number{"training.momentum", training.momentum()},
        Number{"training.weight_decay", training.weight_decay()},
        Number{"training.average_decay", training.average_decay()},
        Number{"training.proximal", training.proximal()},
        Number{"training.fairness_power", training.fairness_power()},
        Number{"training.agnostic_rate", training.agnostic_rate()},
        Number{"training.max_staleness", static_cast<double>(training.max_staleness())}}) {
    problems.Refuse(number.value != 0, number.key,
                    Join("found ", number.value,
                         " where clusters are found, whose step is a plain mean; remove it"));
  }
  const std::string& correction = training.correction();
  problems.Refuse(!correction.empty() && correction != "none", "training.correction",
                  Join("found \"", Escaped(correction, 40),
                       "\" where clusters are found, whose step is a plain mean; remove it"));
}

void CheckRest(const v1::TaskSpec& task, Problems& problems) {
  const v1::ModelSpec& model = task.model();
  for (const auto& [key, found] : {std::pair{"model.frozen", !model.frozen().empty()},
                                   std::pair{"model.personal", !model.personal().empty()},
                                   std::pair{"model.adapter_rank", model.adapter_rank() > 0}}) {
    problems.Refuse(found, key,
                    "found where clusters are found: centres and shares are one thing, and all "
                    "clients' together; remove it");
  }
  problems.Refuse(task.privacy().noise() == "tree", "privacy.noise",
                  "found \"tree\" where clusters are found: its noise is small only in the plain "
                  "sum of all rounds, and each round's centres are means of their own; use "
                  "\"local\", \"distributed\" or \"central\"");
  problems.Refuse(task.privacy().target_quantile() > 0 && task.privacy().unit() == "example",
                  "privacy.target_quantile",
                  "found with unit = \"example\" where clusters are found: it counts on batches of "
                  "batch_size examples, and here a batch is whatever a client has; remove it");
  const std::string& rule = task.robust().rule();
  problems.Refuse(!rule.empty() && rule != "mean", "robust.rule",
                  Join("found \"", Escaped(rule, 40),
                       "\" where clusters are found: a centre is a quotient of two means, and of "
                       "values chosen apart it is none; use \"mean\""));
  const double sampled = task.secure_aggregation().sampled_fraction();
  problems.Refuse(sampled > 0 && sampled < 1, "secure_aggregation.sampled_fraction",
                  Join("found ", sampled,
                       " where clusters are found: a centre without its share cannot move; set 1"));
  problems.Refuse(
      task.secure_aggregation().rotate(), "secure_aggregation.rotate",
      "found where clusters are found: what is nothing, as of an empty cluster, would no "
      "longer be rounded to nothing; remove it");
  const std::string& adversary = task.adversary().kind();
  problems.Refuse(!adversary.empty() && adversary != "none", "adversary.kind",
                  "found where clusters are found: there is no label to err about; remove it");
  problems.Refuse(!task.fairness().attribute().empty(), "fairness.attribute",
                  "found where clusters are found: there is no prediction that could be unfair; "
                  "remove it");
}

bool IsPrivate(const v1::TaskSpec& task) {
  return !task.privacy().unit().empty() && task.privacy().unit() != "none";
}

}  // namespace

std::vector<ClusterProblem> ClusterProblems(const v1::TaskSpec& task) {
  Problems problems;
  const bool centres = model::HasCentres(task.model());
  if (!task.kind().empty() && task.kind() != "train") {
    problems.Refuse(centres && task.kind() == "evaluate", "kind",
                    "found \"evaluate\" with a model of centres, which predicts nothing that could "
                    "be compared with labels; use [evaluation] of a job that trains");
    return problems.Take();
  }
  const std::string& loss = task.training().loss();
  problems.Refuse(centres && loss != "distortion", "training.loss",
                  Join("found \"", Escaped(loss.empty() ? "cross_entropy" : loss, 40),
                       "\" with a model of centres, expected \"distortion\"; set it"));
  problems.Refuse(!centres && loss == "distortion", "training.loss",
                  "found \"distortion\" with a model that has no centres; set model.architecture = "
                  "\"kmeans\", or choose another loss");
  if (centres) {
    CheckStep(task.training(), problems);
    CheckRest(task, problems);
  }
  return problems.Take();
}

double LeastShare(const v1::TaskSpec& task, double mean_share) {
  if (IsPrivate(task)) return kPrivateShare * mean_share;
  const v1::SecureAggregationSpec& secagg = task.secure_aggregation();
  const double step = secagg.value_clip() / (std::exp2(secagg.value_bits() - 1.0) - 1);
  return kRoundingSteps * step;
}

Status StepCentres(const v1::TaskSpec& task, const model::Layout& layout,
                   std::span<const float> update, std::span<float> next) {
  const std::vector<model::Parameter>& parameters = layout.parameters;
  if (parameters.size() != 2 || parameters[0].shape.size() != 2 ||
      parameters[1].values != parameters[0].shape[0] || update.size() != layout.values ||
      next.size() != layout.values) {
    return InvalidArgument(Join("a layout of ", parameters.size(), " parameters and an update of ",
                                update.size(), " values are no centres with their shares"));
  }
  const std::uint64_t clusters = parameters[0].shape[0], width = parameters[0].shape[1];
  const auto shares = update.subspan(parameters[1].offset, clusters);
  double all = 0;
  for (const float share : shares) all += std::max(0.0F, share);
  const double least = LeastShare(task, all / static_cast<double>(clusters));
  for (std::uint64_t j = 0; j < clusters; ++j) {
    const double share = shares[j];
    next[parameters[1].offset + j] =
        IsPrivate(task) ? static_cast<float>(all > 0 ? std::max(0.0, share) / all : 0) : shares[j];
    if (!(share >= least && share > 0)) continue;
    for (std::uint64_t i = 0; i < width; ++i) {
      const std::uint64_t at = parameters[0].offset + j * width + i;
      next[at] = static_cast<float>(static_cast<double>(next[at]) +
                                    static_cast<double>(update[at]) / share);
    }
  }
  return OkStatus();
}

}  // namespace tutti::strategy

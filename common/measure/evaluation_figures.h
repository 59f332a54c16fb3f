// The figures of a model's answers, from the opened sums of all clients' counts. Thread safety:
// value types and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/measure/client_spread.h"
#include "common/measure/confusion.h"
#include "common/measure/evaluation.h"
#include "common/measure/rates.h"
#include "common/measure/scores.h"

namespace tutti::measure {

// Sums as the coordinator opened them; noise can make single ones negative.
struct Opened {
  std::span<const std::int64_t> counts;
  double noise_multiplier = 0;  // of their noise; 0: exact
};

// Of all examples, or of those of one group.
struct PartFigures {
  ConfusionFigures confusion;
  std::vector<std::int64_t> matrix;  // {classes, classes}
  std::vector<Roc> roc;              // of each class scored; groups: only with two classes
};

struct ClassEvaluation {
  EvaluationShape shape;
  PartFigures all;
  Estimate auc;   // mean of the classes' own
  Estimate loss;  // mean cross entropy; its sample's doubt is not counted
  Calibration calibration;
  std::optional<Estimate> robust_accuracy;
  ClientSpread clients;  // by accuracy
  // With [fairness]: each of the groups, then the examples of none of them.
  std::vector<PartFigures> groups;
  std::vector<GroupRates> rates;  // of the groups listed
};

// InvalidArgument: the task is of another kind, or the counts are not as many as its lanes.
StatusOr<ClassEvaluation> ClassEvaluationOf(const v1::TaskSpec& task, const Opened& opened);

struct NumberEvaluation {
  EvaluationShape shape;
  Count examples;
  Estimate beyond;  // share of the examples whose error was clipped
  // In the target's unit; a sample's doubt is counted of the first only.
  Estimate mean_absolute_error;
  Estimate root_mean_squared_error;
  ClientSpread clients;  // by mean absolute error, in units of the clip
};
StatusOr<NumberEvaluation> NumberEvaluationOf(const v1::TaskSpec& task, const Opened& opened);

// Of a job that trains with evaluation.by = "clients": the received model of the round.
struct Validation {
  Count examples;
  Estimate accuracy;  // not known of models that predict numbers
  // Cross entropy, at most MostLoss an example; of numbers the squared error in the target's unit,
  // at most that of secure_aggregation.value_clip. Its sample's doubt is not counted.
  Estimate loss;
  std::optional<ClientSpread> clients;  // jobs without privacy: as in jobs that evaluate
};
// None when the job counts no answers. InvalidArgument: as above.
StatusOr<std::optional<Validation>> ValidationOf(const v1::TaskSpec& task, const Opened& opened);

}  // namespace tutti::measure

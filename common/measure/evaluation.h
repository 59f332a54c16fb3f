// What each client counts of a model's answers on its own examples: in jobs that evaluate, and in
// jobs that train with evaluation.by = "clients". Thread safety: value types and pure functions.
//
// Jobs that evaluate models that predict classes (rows: one for each of fairness.groups and one for
// examples of none of them; a single one without [fairness]):
//   outcomes     {rows, classes, classes}  label by prediction, the confusion matrix
//   scores       {rows or 1, scored, 2, bins}  for ROC-AUC: the class's examples (1) and the others
//                (0) by the probability of the class. Two classes: rows, and class 1 alone is
//                scored; else one row, and every class against the rest
//   calibration  {bins, 2}  by the probability of the predicted class: examples, and correct ones
//   confidence   {bins}  sum of how far that probability lies above its bin's lower edge, in
//                1 / kConfidenceUnits of the bin
//   loss         {1}  sum of cross entropy, at most kMaxLoss an example, in 1 / kLossUnits
//   robust       {2}  with [adversary]: examples, and those right against the adversary
//   clients      {bins}  one-hot: the client's accuracy
// Models that predict numbers; errors are clipped to secure_aggregation.value_clip, the bound of
// whatever value a device sends, in the target's unit:
//   errors          {2}  examples, and those with an error beyond the clip
//   absolute_error  {1}  sum of |error| / clip, in 1 / kErrorUnits
//   squared_error   {1}  sum of (error / clip)^2, in 1 / kErrorUnits
//   clients         {bins}  one-hot: the client's mean |error| / clip
// Jobs that train count in every round, so they count little:
//   answers      {2}  examples, and those predicted right
//   loss         {1}  as above, at most MostLoss(classes) an example
// or the first three families of models that predict numbers; and, in jobs without privacy,
//   clients      {kTrainingBins}  as above: with noise for examples it would say nothing, and cost
#pragma once

#include <cstdint>

#include "common/measure/counts.h"

namespace tutti::measure {

inline constexpr std::string_view kAnswers = "answers";
inline constexpr std::string_view kScores = "scores";
inline constexpr std::string_view kCalibration = "calibration";
inline constexpr std::string_view kConfidence = "confidence";
inline constexpr std::string_view kLoss = "loss";
inline constexpr std::string_view kRobust = "robust";
inline constexpr std::string_view kClients = "clients";
inline constexpr std::string_view kErrors = "errors";
inline constexpr std::string_view kAbsoluteError = "absolute_error";
inline constexpr std::string_view kSquaredError = "squared_error";

// A client rounds its sum once, so that coarse units lose nothing; lanes hold 32 bits for the sum
// over all clients.
inline constexpr std::uint32_t kConfidenceUnits = 100;
inline constexpr double kMaxLoss = 20;
inline constexpr std::uint32_t kLossUnits = 100;
inline constexpr std::uint32_t kTrainingBins = 20;
// Twice the loss of a guess that knows nothing, in whole units: noise is sized by the most an
// example can add.
double MostLoss(std::uint32_t classes);
inline constexpr std::uint32_t kErrorUnits = 10000;

// What the families' sizes follow from.
struct EvaluationShape {
  std::uint32_t classes = 0;
  std::uint32_t bins = 0;
  std::uint32_t rows = 1;
  std::uint32_t scored = 1;
  std::uint32_t score_rows = 1;
  bool robust = false;
  bool number = false;           // the model predicts one
  double clip = 1;               // of its errors, in the target's unit
  double most_loss = kMaxLoss;   // of an example
  bool beside_training = false;  // the families of jobs that train
  bool spread = true;            // the family of clients is there
};

// InvalidArgument names the key that cannot be.
StatusOr<EvaluationShape> EvaluationShapeOf(const v1::TaskSpec& task);
// Of jobs that evaluate, and of those that train: empty without evaluation.by = "clients".
StatusOr<CountLayout> EvaluationLayout(const v1::TaskSpec& task);

// The bin of a class's probability p, given log(p) <= 0: bins of equal width in
// x / (1 + |x|) for x = log(p / (1 - p)), so that scores near 0 and 1 keep apart as well as those
// in the middle.
std::uint32_t ScoreBin(double log_probability, std::uint32_t bins);

// The bin of the predicted class's probability: of equal width from 1 / classes to 1. `above`: how
// far above the bin's lower edge, in [0, 1] of its width.
struct ConfidencePlace {
  std::uint32_t bin = 0;
  double above = 0;
};
ConfidencePlace ConfidenceBin(double probability, std::uint32_t classes, std::uint32_t bins);
// The probability that a place stands for.
double ConfidenceAt(double bin, std::uint32_t classes, std::uint32_t bins);

}  // namespace tutti::measure

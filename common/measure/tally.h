// One client's counts of a model's answers (evaluation.h), example by example. Thread safety:
// confined to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/measure/evaluation.h"

namespace tutti::measure {

class EvaluationTally {
 public:
  // InvalidArgument as EvaluationLayout.
  static StatusOr<EvaluationTally> Create(const v1::TaskSpec& task);

  const EvaluationShape& shape() const { return shape_; }

  // An example of class `label`; `log_probabilities` one a class, none NaN; `group` its place among
  // fairness.groups, their number when it is in none, 0 without groups. What is predicted is the
  // first of the largest.
  void Add(std::uint32_t label, std::span<const float> log_probabilities, std::uint32_t group);

  // How many of so many examples were still predicted right against the adversary.
  void AddRobust(std::uint64_t examples, std::uint64_t correct);

  // An example of a model that predicts numbers; not NaN.
  void AddNumber(double predicted, double target);

  // In the order of EvaluationLayout. All 0 without examples.
  std::vector<std::uint64_t> Counts() const;

 private:
  EvaluationTally(EvaluationShape shape, CountLayout layout);
  std::span<std::uint64_t> LanesOf(std::string_view name);
  void AddFine(std::span<std::uint64_t> lanes, std::size_t lane, double units);

  EvaluationShape shape_;
  CountLayout layout_;
  std::vector<std::uint64_t> lanes_;  // sums of fractions in kFine parts of a unit
  std::uint64_t examples_ = 0;
  std::uint64_t correct_ = 0;
};

}  // namespace tutti::measure

// Questions, and cells for them, for the tests of jobs that analyse.
#pragma once

#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "common/measure/question_tally.h"

namespace tutti::measure {

inline v1::TaskSpec AnalysisTask(const std::string& unit = "none") {
  v1::TaskSpec task;
  task.set_job("survey");
  task.set_kind("analyse");
  task.mutable_privacy()->set_unit(unit);
  return task;
}

inline v1::QuestionSpec& Ask(v1::TaskSpec& task, const std::string& column,
                             const std::string& statistic) {
  v1::QuestionSpec& question = *task.add_questions();
  question.set_column(column);
  question.set_statistic(statistic);
  question.set_bins(20);  // what a job file that does not say has
  return question;
}

inline v1::QuestionSpec& Ask(v1::TaskSpec& task, const std::string& column,
                             const std::string& statistic, double low, double high,
                             std::uint32_t bins = 20) {
  v1::QuestionSpec& question = Ask(task, column, statistic);
  question.add_range(low);
  question.add_range(high);
  question.set_bins(bins);
  return question;
}

inline v1::QuestionSpec& Ask(v1::TaskSpec& task, const std::string& column,
                             std::initializer_list<const char*> categories) {
  v1::QuestionSpec& question = Ask(task, column, "categories");
  for (const char* word : categories) question.add_categories(word);
  return question;
}

// The lanes of a client that has these numbers for question 0, and `missing` cells without.
inline std::vector<std::int64_t> CountsOf(const v1::TaskSpec& task,
                                          const std::vector<double>& numbers, int missing = 0) {
  QuestionTally tally = *QuestionTally::Create(task);
  for (const double number : numbers) tally.AddNumber(0, number);
  for (int i = 0; i < missing; ++i) tally.AddMissing(0);
  const std::vector<std::uint64_t> counts = tally.Counts();
  return {counts.begin(), counts.end()};
}

inline void AddTo(std::vector<std::int64_t>& sum, const std::vector<std::int64_t>& counts) {
  sum.resize(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) sum[i] += counts[i];
}

// Numbers of a lopsided distribution around 40, and some far out.
inline std::vector<double> Numbers(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::gamma_distribution<double> amount(4, 10);
  std::vector<double> numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(amount(rng));
  return numbers;
}

}  // namespace tutti::measure

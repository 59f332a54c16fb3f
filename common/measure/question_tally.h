// The cells of one client's table, counted for the questions of a job that analyses. Memory does
// not grow with the rows. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/measure/analysis.h"

namespace tutti::measure {

class QuestionTally {
 public:
  // `task` is borrowed. InvalidArgument: its questions cannot be.
  static StatusOr<QuestionTally> Create(const v1::TaskSpec& task);

  // What a question looks at in a cell that is there: only that it is, its number, or its word.
  enum class Reads { kPresence, kNumber, kWord };
  Reads ReadsOf(int question) const;

  // One cell of one row, for one question. Which of them fits the question, ReadsOf says.
  void AddMissing(int question);
  void AddPresent(int question);
  void AddNumber(int question, double number);  // finite
  // False, and nothing counted, when the word is none of the question's categories.
  bool AddCategory(int question, std::string_view word);
  void AddOther(int question);

  // In the order of AnalysisLayout(task), of everything added so far.
  std::vector<std::uint64_t> Counts() const;

 private:
  struct Question {
    const v1::QuestionSpec* spec = nullptr;
    Statistic statistic = Statistic::kCount;
    std::vector<std::uint64_t> cells;                        // lanes of CellsOf
    std::uint64_t sum = 0, spread = 0;                       // moments, in units of 1 / kCellUnits
    std::map<std::string, std::size_t, std::less<>> places;  // categories
  };

  std::vector<Question> questions_;
  bool exact_sums_ = true;
};

}  // namespace tutti::measure

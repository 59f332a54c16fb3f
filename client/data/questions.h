// What this client counts for a job that analyses: the cells of its table as they are in the file,
// before anything is filled in, clipped, encoded or left out. Thread safety: pure function of the
// files.
#pragma once

#include <cstdint>
#include <vector>

#include "client/data/dataset.h"

namespace tutti::data {

struct QuestionCounts {
  std::vector<std::uint64_t> counts;  // in the order of measure::AnalysisLayout(task)
  std::uint64_t rows = 0;             // looked at
};

// Looks at every row of this client's slice: those kept for validation, and those that preparation
// would leave out (missing cells, unknown words, outliers, duplicates) count like the others. Only
// with slice.kind = "column" and missing = "drop" for that column rows without its cell belong to
// nobody. Missing are empty cells and NA, unless it is one of the words asked for, or one declared
// in data.csv. idx files have one column to ask about, "label", whose categories are "0" to "255".
//
// The texts of errors hold cells and paths: they are for this device's log. InvalidArgument: the
// questions cannot be; there is no such column; a word where a number is asked for.
// PermissionDenied: a column of data.sensitive is asked about otherwise than by its categories.
// Others as Load.
StatusOr<QuestionCounts> AnswerQuestions(const v1::DataConfig& config, const v1::TaskSpec& task);

}  // namespace tutti::data

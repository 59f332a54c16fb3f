// Jobs that analyse: what each client counts for [[questions]] about the columns of its table,
// before any preparation. Thread safety: value types and pure functions.
//
// Families of a job, in the order of its questions (numbered 1, 2, ...):
//   count       "question N"       {2}: cells that are there, missing
//   moments     "question N"       {2}: same
//               "question N sums"  {2}, or {2, 2} without privacy: sums over the numbers x, scaled
//                                  to [0, 1] by `range`, of x and of 3 x (1 - x)
//   histogram   "question N"       {bins + 3}: below the range, each bin, above it, missing
//   categories  "question N"       {categories + 2}: each, any other word, missing
// One row changes one lane of a "question N" by 1. It moves the two sums together by at most 1, for
// x^2 + (3 x (1 - x))^2 <= 1 on [0, 1]; the sum of squares follows as sum x - sum x (1 - x). Sums
// of x and x^2 could move by sqrt(2), and a variance from them would carry several times the noise.
#pragma once

#include "common/measure/counts.h"

namespace tutti::measure {

inline constexpr int kMaxQuestions = 256;
inline constexpr std::uint32_t kMinBins = 2, kMaxBins = 1000;
inline constexpr int kMaxCategories = 1000;

// Each x and each 3 x (1 - x) is rounded to a whole number of 1 / kCellUnits. Without privacy the
// sums of those are exact: lane {s, 0} holds the whole part of a client's sum s in units of
// kCellUnits, lane {s, 1} the rest. So they fit wherever the number of rows does.
inline constexpr std::uint64_t kCellUnits = 65536;
// With privacy a client's sum is rounded once more, to 1 / kSumUnits: less than noise hides.
inline constexpr std::uint64_t kSumUnits = 128;
// What one row can change of those: kSumUnits, and what the roundings add.
inline constexpr double kSumsChange = kSumUnits + 2.0;

enum class Statistic { kCount, kMoments, kHistogram, kCategories };
// InvalidArgument: another word.
StatusOr<Statistic> StatisticOf(const v1::QuestionSpec& question);

// Everything that is wrong with the questions. `bins` of other statistics than histogram is not
// looked at.
struct QuestionProblem {
  std::string key;   // "questions[2].range", or "questions"
  std::string text;  // begins with the column, where it is about one
};
std::vector<QuestionProblem> ProblemsOfQuestions(const v1::TaskSpec& task);

// InvalidArgument: the first of them.
Status CheckQuestions(const v1::TaskSpec& task);

// Names of the families of question `index` (0, 1, ...).
std::string CellsOf(int index);
std::string SumsOf(int index);

// Whether sums are opened without noise.
bool HasExactSums(const v1::TaskSpec& task);

// As LayoutOf of a task with kind = "analyse". InvalidArgument: CheckQuestions.
StatusOr<CountLayout> AnalysisLayout(const v1::TaskSpec& task);

// Left end of a histogram's bin, 0 .. bins; that of `bins` is the range's right end. A number is in
// the bin whose left end is the last one not above it; the last bin holds its right end too.
double BinEdge(const v1::QuestionSpec& question, std::uint32_t bin);

}  // namespace tutti::measure

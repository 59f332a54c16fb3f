#include "common/measure/analysis.h"

#include <cmath>
#include <set>
#include <utility>

#include "common/base/text.h"

namespace tutti::measure {
namespace {

bool HasBlankEnd(std::string_view word) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  return !word.empty() && (is_blank(word.front()) || is_blank(word.back()));
}

// Of one question.
class Checker {
 public:
  Checker(int index, const v1::QuestionSpec& question, std::vector<QuestionProblem>& problems)
      : index_(index), question_(question), problems_(problems) {}

  void Add(std::string_view key, std::string_view text) {
    problems_.push_back({Join("questions[", index_, "].", key),
                         Join("column \"", Escaped(question_.column(), 60), "\": ", text)});
  }

  void Check() {
    if (question_.column().empty() || HasBlankEnd(question_.column())) {
      Add("column", "expected the name of a column, without blanks around it");
    }
    const StatusOr<Statistic> statistic = StatisticOf(question_);
    if (!statistic.ok()) return Add("statistic", MessageOf(statistic.status()));
    const bool numbers = *statistic == Statistic::kMoments || *statistic == Statistic::kHistogram;
    if (numbers) CheckRange();
    if (!numbers && !question_.range().empty()) {
      Add("range", Join("found with statistic = \"", question_.statistic(),
                        "\"; only \"moments\" and \"histogram\" read it, remove it"));
    }
    if (*statistic == Statistic::kHistogram &&
        (question_.bins() < kMinBins || question_.bins() > kMaxBins)) {
      Add("bins", Join("found ", question_.bins(), ", expected ", kMinBins, " to ", kMaxBins));
    }
    if (*statistic == Statistic::kCategories) CheckCategories();
    if (*statistic != Statistic::kCategories && !question_.categories().empty()) {
      Add("categories", Join("found with statistic = \"", question_.statistic(),
                             "\"; only \"categories\" reads them, remove them"));
    }
  }

 private:
  void CheckRange() {
    if (question_.range_size() != 2) {
      return Add("range",
                 Join("found ", question_.range_size(), " numbers, expected [low, high]; \"",
                      question_.statistic(), "\" needs the range of plausible numbers"));
    }
    const double low = question_.range(0), high = question_.range(1);
    if (!std::isfinite(low) || !std::isfinite(high) || !(low < high) ||
        !std::isfinite(high - low)) {
      Add("range", Join("found [", low, ", ", high,
                        "], expected two finite numbers with the low one first"));
    }
  }

  void CheckCategories() {
    const int size = question_.categories_size();
    if (size == 0 || size > kMaxCategories) {
      return Add("categories", Join("found ", size, " words, expected 1 to ", kMaxCategories,
                                    "; name those that are counted"));
    }
    std::set<std::string_view> seen;
    for (const std::string& word : question_.categories()) {
      if (word.empty() || HasBlankEnd(word)) {
        Add("categories", Join("found \"", Escaped(word, 60),
                               "\", expected words without blanks around them: cells are read "
                               "without, and empty ones are counted as missing"));
      } else if (!seen.insert(word).second) {
        Add("categories", Join("found \"", Escaped(word, 60), "\" twice; remove one"));
      }
    }
  }

  int index_;
  const v1::QuestionSpec& question_;
  std::vector<QuestionProblem>& problems_;
};

}  // namespace

StatusOr<Statistic> StatisticOf(const v1::QuestionSpec& question) {
  const std::string& word = question.statistic();
  if (word == "count") return Statistic::kCount;
  if (word == "moments") return Statistic::kMoments;
  if (word == "histogram") return Statistic::kHistogram;
  if (word == "categories") return Statistic::kCategories;
  return InvalidArgument(
      Join("found \"", Escaped(word, 40), "\", expected count, moments, histogram or categories"));
}

std::vector<QuestionProblem> ProblemsOfQuestions(const v1::TaskSpec& task) {
  std::vector<QuestionProblem> problems;
  if (task.questions().empty() || task.questions_size() > kMaxQuestions) {
    problems.push_back(
        {"questions", Join("found ", task.questions_size(), ", expected 1 to ", kMaxQuestions,
                           "; write [[questions]] with column and statistic for "
                           "each")});
    return problems;
  }
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (int i = 0; i < task.questions_size(); ++i) {
    const v1::QuestionSpec& question = task.questions(i);
    Checker checker(i, question, problems);
    checker.Check();
    if (!seen.emplace(question.column(), question.statistic()).second) {
      checker.Add("statistic",
                  Join("found \"", Escaped(question.statistic(), 40),
                       "\" of this column twice; remove one, or ask it in a job of its own"));
    }
  }
  return problems;
}

Status CheckQuestions(const v1::TaskSpec& task) {
  const std::vector<QuestionProblem> problems = ProblemsOfQuestions(task);
  if (problems.empty()) return OkStatus();
  return InvalidArgument(Join(problems.front().key, ": ", problems.front().text));
}

std::string CellsOf(int index) { return Join("question ", index + 1); }
std::string SumsOf(int index) { return Join("question ", index + 1, " sums"); }

bool HasExactSums(const v1::TaskSpec& task) { return task.privacy().unit() == "none"; }

StatusOr<CountLayout> AnalysisLayout(const v1::TaskSpec& task) {
  TUTTI_TRY(CheckQuestions(task));
  CountLayout layout;
  for (int i = 0; i < task.questions_size(); ++i) {
    const v1::QuestionSpec& question = task.questions(i);
    TUTTI_ASSIGN(const Statistic statistic, StatisticOf(question));
    std::uint32_t cells = 2;
    if (statistic == Statistic::kHistogram) cells = question.bins() + 3;
    if (statistic == Statistic::kCategories) {
      cells = static_cast<std::uint32_t>(question.categories_size()) + 2;
    }
    layout.families.push_back({.name = CellsOf(i), .shape = {cells}, .change = 1});
    if (statistic != Statistic::kMoments) continue;
    if (HasExactSums(task)) {
      layout.families.push_back({.name = SumsOf(i), .shape = {2, 2}, .change = kCellUnits});
    } else {
      layout.families.push_back({.name = SumsOf(i), .shape = {2}, .change = kSumsChange});
    }
  }
  return layout;
}

double BinEdge(const v1::QuestionSpec& question, std::uint32_t bin) {
  const double low = question.range(0), high = question.range(1);
  if (bin >= question.bins()) return high;
  return low + (high - low) * (static_cast<double>(bin) / question.bins());
}

}  // namespace tutti::measure

#include "common/measure/question_tally.h"

#include <algorithm>
#include <cmath>

namespace tutti::measure {
namespace {

// `share` in [0, 1].
std::uint64_t CellUnits(double share) {
  return static_cast<std::uint64_t>(std::llround(share * static_cast<double>(kCellUnits)));
}

// Place of a number within the lanes below, bins, above.
std::size_t PlaceOf(const v1::QuestionSpec& question, double number) {
  const double low = question.range(0), high = question.range(1);
  if (number < low) return 0;
  if (number > high) return question.bins() + 1;
  const double at = (number - low) / (high - low) * question.bins();
  std::uint32_t bin = std::min(static_cast<std::uint32_t>(at), question.bins() - 1);
  // The division may have crossed an edge by a rounding.
  while (bin > 0 && number < BinEdge(question, bin)) --bin;
  while (bin + 1 < question.bins() && number >= BinEdge(question, bin + 1)) ++bin;
  return bin + 1;
}

}  // namespace

StatusOr<QuestionTally> QuestionTally::Create(const v1::TaskSpec& task) {
  TUTTI_ASSIGN(const CountLayout layout, AnalysisLayout(task));
  QuestionTally tally;
  tally.exact_sums_ = HasExactSums(task);
  for (int i = 0; i < task.questions_size(); ++i) {
    Question question;
    question.spec = &task.questions(i);
    TUTTI_ASSIGN(question.statistic, StatisticOf(*question.spec));
    question.cells.resize(layout.Find(CellsOf(i)).lanes);
    for (const std::string& word : question.spec->categories()) {
      question.places.emplace(word, question.places.size());
    }
    tally.questions_.push_back(std::move(question));
  }
  return tally;
}

QuestionTally::Reads QuestionTally::ReadsOf(int question) const {
  switch (questions_[static_cast<std::size_t>(question)].statistic) {
    case Statistic::kCount:
      break;
    case Statistic::kMoments:
    case Statistic::kHistogram:
      return Reads::kNumber;
    case Statistic::kCategories:
      return Reads::kWord;
  }
  return Reads::kPresence;
}

void QuestionTally::AddMissing(int question) {
  ++questions_[static_cast<std::size_t>(question)].cells.back();
}

void QuestionTally::AddPresent(int question) {
  ++questions_[static_cast<std::size_t>(question)].cells.front();
}

void QuestionTally::AddNumber(int question, double number) {
  Question& asked = questions_[static_cast<std::size_t>(question)];
  if (asked.statistic == Statistic::kHistogram) {
    ++asked.cells[PlaceOf(*asked.spec, number)];
    return;
  }
  ++asked.cells.front();
  const double low = asked.spec->range(0), high = asked.spec->range(1);
  const double x = (std::clamp(number, low, high) - low) / (high - low);
  asked.sum += CellUnits(x);
  asked.spread += CellUnits(3 * x * (1 - x));
}

bool QuestionTally::AddCategory(int question, std::string_view word) {
  Question& asked = questions_[static_cast<std::size_t>(question)];
  const auto found = asked.places.find(word);
  if (found == asked.places.end()) return false;
  ++asked.cells[found->second];
  return true;
}

void QuestionTally::AddOther(int question) {
  Question& asked = questions_[static_cast<std::size_t>(question)];
  ++asked.cells[asked.cells.size() - 2];
}

std::vector<std::uint64_t> QuestionTally::Counts() const {
  std::vector<std::uint64_t> counts;
  for (const Question& question : questions_) {
    counts.insert(counts.end(), question.cells.begin(), question.cells.end());
    if (question.statistic != Statistic::kMoments) continue;
    for (const std::uint64_t sum : {question.sum, question.spread}) {
      if (exact_sums_) {
        counts.push_back(sum / kCellUnits);
        counts.push_back(sum % kCellUnits);
      } else {
        constexpr std::uint64_t kRatio = kCellUnits / kSumUnits;
        counts.push_back((sum + kRatio / 2) / kRatio);
      }
    }
  }
  return counts;
}

}  // namespace tutti::measure

#include "common/measure/answers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/text.h"
#include "common/measure/quantiles.h"

namespace tutti::measure {
namespace {

// A sum that was opened, with the standard deviation of the noise in it.
struct Noisy {
  double value = 0, stddev = 0;
};

Noisy operator+(Noisy a, Noisy b) { return {a.value + b.value, std::hypot(a.stddev, b.stddev)}; }

Figure FigureOf(Noisy sum) { return {sum.value, Figure::kStddevs * sum.stddev}; }

// Fewer are none, or may be.
bool CanDivideBy(Noisy sum) { return sum.value >= 1 && sum.value > 4 * sum.stddev; }

// part / (part + rest).
Figure ShareOf(Noisy part, Noisy rest) {
  const Noisy all = part + rest;
  if (!CanDivideBy(all)) return {};
  const double square = all.value * all.value;
  const double stddev =
      std::hypot(rest.value / square * part.stddev, part.value / square * rest.stddev);
  return {std::clamp(part.value / all.value, 0.0, 1.0), Figure::kStddevs * stddev};
}

// (part + rest) / (classes * part).
Figure ClassWeight(Noisy part, Noisy rest, double classes) {
  if (!CanDivideBy(part) || !CanDivideBy(part + rest)) return {};
  const double stddev =
      std::hypot(rest.value / part.value * part.stddev, rest.stddev) / (classes * part.value);
  return {(part.value + rest.value) / (classes * part.value), Figure::kStddevs * stddev};
}

// Of the square root of a variance: the farther end of its interval.
Figure RootOf(const Figure& variance) {
  const double root = std::sqrt(variance.value);
  const double up = std::sqrt(variance.value + variance.half_width) - root;
  const double down = root - std::sqrt(std::max(variance.value - variance.half_width, 0.0));
  return {root, std::max(up, down)};
}

// From n numbers x in [0, 1] with the sums of x and of 3 x (1 - x).
void AddMoments(const v1::QuestionSpec& question, Noisy n, Noisy sum, Noisy spread,
                Answer& answer) {
  if (!CanDivideBy(n)) return;
  const double width = question.range(1) - question.range(0);
  const double mean = sum.value / n.value;
  const double square = mean - spread.value / (3 * n.value);
  const double variance = square - mean * mean;
  const double mean_stddev = std::hypot(sum.stddev, mean * n.stddev) / n.value;
  const double variance_stddev = std::hypot((1 - 2 * mean) * sum.stddev, spread.stddev / 3,
                                            (2 * mean * mean - square) * n.stddev) /
                                 n.value;
  answer.mean = {question.range(0) + width * std::clamp(mean, 0.0, 1.0),
                 width * Figure::kStddevs * mean_stddev};
  answer.variance = {width * width * std::clamp(variance, 0.0, 0.25),
                     width * width * Figure::kStddevs * variance_stddev};
  answer.stddev = RootOf(answer.variance);
}

class Reader {
 public:
  Reader(const CountLayout& layout, std::span<const std::int64_t> counts, std::uint64_t clients,
         double noise_multiplier)
      : layout_(layout),
        counts_(counts),
        stddevs_(NoiseStddevs(layout, noise_multiplier)),
        rounding_(std::sqrt(static_cast<double>(clients) / 12)) {}

  std::vector<Noisy> Cells(int question) const {
    const CountLayout::Place place = layout_.Find(CellsOf(question));
    std::vector<Noisy> cells;
    for (std::uint64_t i = place.first; i < place.first + place.lanes; ++i) {
      cells.push_back({static_cast<double>(counts_[i]), stddevs_[i]});
    }
    return cells;
  }

  // Of x (0) or 3 x (1 - x) (1).
  Noisy Sum(int question, std::uint64_t which) const {
    const CountLayout::Place place = layout_.Find(SumsOf(question));
    if (place.lanes == 4) {
      const std::uint64_t at = place.first + 2 * which;
      return {static_cast<double>(counts_[at]) +
                  static_cast<double>(counts_[at + 1]) / static_cast<double>(kCellUnits),
              0};
    }
    constexpr double kUnits = kSumUnits;
    const std::uint64_t at = place.first + which;
    return {static_cast<double>(counts_[at]) / kUnits,
            std::hypot(stddevs_[at], rounding_) / kUnits};
  }

 private:
  const CountLayout& layout_;
  std::span<const std::int64_t> counts_;
  std::vector<double> stddevs_;
  double rounding_;  // stddev of what the clients' rounding adds to a sum, in its lane
};

Noisy SumOf(std::span<const Noisy> cells) {
  return std::accumulate(cells.begin(), cells.end(), Noisy());
}

void AddHistogram(const v1::QuestionSpec& question, std::span<const Noisy> cells, Answer& answer) {
  const std::span<const Noisy> numbers = cells.first(cells.size() - 1);
  answer.below = FigureOf(numbers.front());
  answer.above = FigureOf(numbers.back());
  std::vector<double> counts;
  for (const Noisy& cell : numbers) {
    counts.push_back(cell.value);
    answer.bins.push_back(FigureOf(cell));
  }
  answer.bins.pop_back();
  answer.bins.erase(answer.bins.begin());
  const bool known = CanDivideBy(SumOf(numbers));
  for (const double share : kQuantileShares) {
    answer.quantiles.push_back(known ? QuantileOf(question, counts, numbers[0].stddev, share)
                                     : Quantile{.share = share});
  }
}

void AddCategories(std::span<const Noisy> cells, Answer& answer) {
  const std::span<const Noisy> words = cells.first(cells.size() - 2);
  const Noisy other = cells[words.size()];
  // The rest by itself and not as a difference: its noise is independent of the word's.
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Noisy rest = SumOf(words.first(i)) + SumOf(words.subspan(i + 1));
    answer.counts.push_back(FigureOf(words[i]));
    answer.shares.push_back(ShareOf(words[i], rest + other));
    answer.class_weights.push_back(ClassWeight(words[i], rest, static_cast<double>(words.size())));
  }
  answer.other = FigureOf(other);
  answer.other_share = ShareOf(other, SumOf(words));
}

StatusOr<Answer> AnswerTo(const v1::QuestionSpec& question, int index, const Reader& reader) {
  TUTTI_ASSIGN(const Statistic statistic, StatisticOf(question));
  const std::vector<Noisy> cells = reader.Cells(index);
  const Noisy present = SumOf(std::span(cells).first(cells.size() - 1));
  Answer answer;
  answer.present = FigureOf(present);
  answer.missing = FigureOf(cells.back());
  answer.missing_share = ShareOf(cells.back(), present);
  switch (statistic) {
    case Statistic::kCount:
      break;
    case Statistic::kMoments:
      AddMoments(question, present, reader.Sum(index, 0), reader.Sum(index, 1), answer);
      break;
    case Statistic::kHistogram:
      AddHistogram(question, cells, answer);
      break;
    case Statistic::kCategories:
      AddCategories(cells, answer);
      break;
  }
  return answer;
}

}  // namespace

StatusOr<std::vector<Answer>> AnswersOf(const v1::TaskSpec& task,
                                        std::span<const std::int64_t> counts, std::uint64_t clients,
                                        double noise_multiplier) {
  TUTTI_ASSIGN(const CountLayout layout, AnalysisLayout(task));
  if (counts.size() != layout.lanes()) {
    return InvalidArgument(Join("found ", counts.size(), " counts, the job's questions have ",
                                layout.lanes(), "; are they of another job?"));
  }
  if (!std::isfinite(noise_multiplier) || noise_multiplier < 0) {
    return InvalidArgument(Join("the counts have a noise multiplier of ", noise_multiplier,
                                ", expected a finite number of at least 0"));
  }
  if (HasExactSums(task) && noise_multiplier > 0) {
    return InvalidArgument("the counts of a job with privacy.unit = \"none\" state noise");
  }
  if (noise_multiplier == 0) {
    const auto negative =
        std::find_if(counts.begin(), counts.end(), [](std::int64_t count) { return count < 0; });
    if (negative != counts.end()) {
      return InvalidArgument(Join("count ", negative - counts.begin(), " is ", *negative,
                                  " without noise, expected at least 0"));
    }
  }
  const Reader reader(layout, counts, clients, noise_multiplier);
  std::vector<Answer> answers;
  for (int i = 0; i < task.questions_size(); ++i) {
    TUTTI_ASSIGN(Answer answer, AnswerTo(task.questions(i), i, reader));
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace tutti::measure

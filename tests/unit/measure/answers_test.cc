#include "common/measure/answers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "common/measure/quantiles.h"
#include "tests/catch.h"
#include "tests/unit/measure/questions.h"

namespace tutti::measure {
namespace {

Answer AnswerOf(const v1::TaskSpec& task, const std::vector<std::int64_t>& counts,
                std::uint64_t clients = 1, double noise = 0) {
  const auto answers = AnswersOf(task, counts, clients, noise);
  REQUIRE(answers.ok());
  return answers->front();
}

double MeanOf(const std::vector<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}
double VarianceOf(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double number : numbers) sum += std::pow(number - MeanOf(numbers), 2);
  return sum / static_cast<double>(numbers.size());
}

// Gaussian noise as the devices' sum has it.
std::vector<std::int64_t> Noised(const v1::TaskSpec& task, std::vector<std::int64_t> counts,
                                 double noise, std::mt19937_64& rng) {
  const std::vector<double> stddevs = NoiseStddevs(*LayoutOf(task), noise);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] += std::llround(std::normal_distribution<double>(0, stddevs[i])(rng));
  }
  return counts;
}

TEST_CASE("counts of cells are what was counted", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "age", "count");
  const Answer answer = AnswerOf(task, {30, 10}, 4);
  REQUIRE(answer.present.value == Approx(30));
  REQUIRE(answer.missing.value == Approx(10));
  REQUIRE(answer.missing_share.value == Approx(0.25));
  REQUIRE(answer.present.half_width == Approx(0).margin(0));
  REQUIRE_FALSE(answer.mean.known());
  REQUIRE(answer.quantiles.empty());
}

TEST_CASE("moments are those of all clients' rows together", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "age", "moments", 0, 200);
  std::vector<double> pooled;
  std::vector<std::int64_t> sum;
  for (const std::size_t rows : {3U, 400U, 1U, 97U}) {
    const std::vector<double> numbers = Numbers(rows, rows);
    pooled.insert(pooled.end(), numbers.begin(), numbers.end());
    AddTo(sum, CountsOf(task, numbers, 2));
  }
  const Answer answer = AnswerOf(task, sum, 4);
  REQUIRE(answer.present.value == Approx(501));
  REQUIRE(answer.missing.value == Approx(8));
  REQUIRE(std::abs(answer.mean.value - MeanOf(pooled)) <= 200.0 / 131072);
  REQUIRE(std::abs(answer.variance.value - VarianceOf(pooled)) <= 200.0 * 200 / 65536);
  REQUIRE(answer.stddev.value == Approx(std::sqrt(VarianceOf(pooled))).epsilon(0.002));
  REQUIRE(answer.mean.half_width == Approx(0).margin(0));
  // Which client has which row changes no answer at all.
  const Answer alone = AnswerOf(task, CountsOf(task, pooled, 8));
  REQUIRE(alone.mean.value == answer.mean.value);
  REQUIRE(alone.variance.value == answer.variance.value);
}

TEST_CASE("numbers outside the range count as the nearer end", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "age", "moments", 10, 20);
  const Answer answer = AnswerOf(task, CountsOf(task, {-1e300, 12, 1e300}));
  REQUIRE(answer.mean.value == Approx(14).margin(1e-3));
  REQUIRE(answer.variance.value == Approx(VarianceOf({10, 12, 20})).margin(2e-3));
}

TEST_CASE("a column of one value has no variance", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "age", "moments", 0, 3);
  for (const double value : {0.0, 1.0, 2.0, 3.0}) {
    const Answer answer = AnswerOf(task, CountsOf(task, std::vector<double>(1000, value)));
    REQUIRE(answer.mean.value == Approx(value).margin(3.0 / 131072));
    REQUIRE(answer.variance.value <= 9.0 / 65536);
    REQUIRE(answer.variance.value >= 0);
  }
}

TEST_CASE("without a cell nothing is known but that", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "a", "moments", 0, 1);
  Ask(task, "b", "histogram", 0, 1, 4);
  Ask(task, "c", {"x", "y"});
  const std::vector<std::int64_t> zeros(LayoutOf(task)->lanes());
  const auto answers = AnswersOf(task, zeros, 3, 0);
  REQUIRE(answers.ok());
  REQUIRE_FALSE((*answers)[0].mean.known());
  REQUIRE_FALSE((*answers)[0].missing_share.known());
  REQUIRE_FALSE((*answers)[2].shares[0].known());
  REQUIRE_FALSE((*answers)[2].class_weights[1].known());
  for (const Quantile& quantile : (*answers)[1].quantiles) REQUIRE(std::isnan(quantile.value));
}

TEST_CASE("a histogram counts what a plain loop counts", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  const v1::QuestionSpec question = Ask(task, "age", "histogram", 10, 90, 16);
  const std::vector<double> numbers = Numbers(5000, 7);
  const Answer answer = AnswerOf(task, CountsOf(task, numbers, 3));
  REQUIRE(answer.bins.size() == 16);
  for (std::uint32_t bin = 0; bin < 16; ++bin) {
    const auto expected = std::count_if(numbers.begin(), numbers.end(), [&](double x) {
      return x >= 10 + 5.0 * bin && (x < 15 + 5.0 * bin || (bin == 15 && x <= 90));
    });
    REQUIRE(answer.bins[bin].value == Approx(static_cast<double>(expected)));
  }
  REQUIRE(answer.below.value + answer.above.value > 0);
  REQUIRE(answer.present.value == Approx(5000));
  REQUIRE(answer.missing.value == Approx(3));
}

TEST_CASE("a quantile is no further off than its bin is wide", "[measure]") {
  for (const std::uint32_t bins : {2U, 5U, 40U, 1000U}) {
    for (const std::size_t rows : {1U, 2U, 99U, 2000U}) {
      v1::TaskSpec task = AnalysisTask();
      Ask(task, "age", "histogram", 10, 90, bins);
      std::vector<double> numbers = Numbers(rows, bins + rows);
      const Answer answer = AnswerOf(task, CountsOf(task, numbers));
      std::sort(numbers.begin(), numbers.end());
      REQUIRE(answer.quantiles.size() == std::size(kQuantileShares));
      for (const Quantile& quantile : answer.quantiles) {
        // The smallest number that at least `share` of all are not above.
        const auto rank = static_cast<std::size_t>(
            std::ceil(quantile.share * static_cast<double>(rows) * (1 - 1e-12)));
        const double exact = numbers[std::max<std::size_t>(rank, 1) - 1];
        INFO(bins << " bins, " << rows << " rows, share " << quantile.share);
        REQUIRE(quantile.low <= exact);
        REQUIRE(exact <= quantile.high);
        if (exact < 10 || exact > 90) {
          REQUIRE(std::isnan(quantile.value));
          REQUIRE(std::isinf(exact < 10 ? quantile.low : quantile.high));
        } else {
          REQUIRE(std::abs(quantile.value - exact) <= 80.0 / bins * (1 + 1e-9));
        }
      }
    }
  }
}

TEST_CASE("shares of words and weights of classes follow from their counts", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "y", {"no", "yes", "maybe"});
  const Answer answer = AnswerOf(task, {60, 30, 0, 10, 25});
  REQUIRE(answer.present.value == Approx(100));
  REQUIRE(answer.counts[1].value == Approx(30));
  REQUIRE(answer.shares[0].value == Approx(0.6));
  REQUIRE(answer.shares[2].value == Approx(0).margin(0));
  REQUIRE(answer.other.value == Approx(10));
  REQUIRE(answer.other_share.value == Approx(0.1));
  REQUIRE(answer.missing_share.value == Approx(0.2));
  REQUIRE(answer.class_weights[0].value == Approx(90 / (3 * 60.0)));
  REQUIRE(answer.class_weights[1].value == Approx(1));
  REQUIRE_FALSE(answer.class_weights[2].known());
}

TEST_CASE("95 % of the half widths hold the noise", "[measure]") {
  // 400 draws of a 95 % interval: below 0.91 or above 0.98 in fewer than 1 of 500 runs.
  constexpr int kDraws = 400;
  constexpr double kNoise = 3;
  v1::TaskSpec task = AnalysisTask("example");
  Ask(task, "age", "moments", 0, 200);
  Ask(task, "size", "histogram", 0, 100, 20);
  Ask(task, "home", {"rent", "own"});
  QuestionTally tally = *QuestionTally::Create(task);
  for (const double number : Numbers(3000, 5)) {
    tally.AddNumber(0, number);
    tally.AddNumber(1, number);
    if (!tally.AddCategory(2, number < 30 ? "rent" : number < 60 ? "own" : "boat")) {
      tally.AddOther(2);
    }
  }
  const std::vector<std::uint64_t> counts = tally.Counts();
  const std::vector<std::int64_t> plain(counts.begin(), counts.end());
  const auto exact = AnswersOf(task, plain, 1, 0);
  REQUIRE(exact.ok());

  struct Held {
    int draws = 0;
    void Add(const Figure& found, const Figure& expected) {
      if (std::abs(found.value - expected.value) <= found.half_width) ++draws;
    }
  };
  Held mean, variance, stddev, share, weight, bin, missing;
  std::array<int, std::size(kQuantileShares)> quantiles{};
  std::mt19937_64 rng(11);
  for (int i = 0; i < kDraws; ++i) {
    const auto noisy = AnswersOf(task, Noised(task, plain, kNoise, rng), 1, kNoise);
    REQUIRE(noisy.ok());
    mean.Add((*noisy)[0].mean, (*exact)[0].mean);
    variance.Add((*noisy)[0].variance, (*exact)[0].variance);
    stddev.Add((*noisy)[0].stddev, (*exact)[0].stddev);
    missing.Add((*noisy)[0].missing, (*exact)[0].missing);
    bin.Add((*noisy)[1].bins[5], (*exact)[1].bins[5]);
    share.Add((*noisy)[2].shares[1], (*exact)[2].shares[1]);
    weight.Add((*noisy)[2].class_weights[0], (*exact)[2].class_weights[0]);
    for (std::size_t q = 0; q < quantiles.size(); ++q) {
      // The place of the true quantile is one whole bin.
      const Quantile& found = (*noisy)[1].quantiles[q];
      const Quantile& expected = (*exact)[1].quantiles[q];
      if (found.low <= expected.low && expected.high <= found.high) ++quantiles[q];
    }
  }
  for (const Held& held : {mean, variance, stddev, share, weight, bin, missing}) {
    REQUIRE(held.draws >= 0.91 * kDraws);
    REQUIRE(held.draws <= 0.98 * kDraws);
  }
  // Whole bins: wider than 95 %.
  for (const int held : quantiles) REQUIRE(held >= 0.91 * kDraws);
}

TEST_CASE("clients' rounding is part of the half width", "[measure]") {
  // 300 clients of one row each; noise far below the rounding.
  v1::TaskSpec task = AnalysisTask("example");
  Ask(task, "age", "moments", 0, 1);
  std::mt19937_64 rng(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  int held = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<std::int64_t> sum;
    std::vector<double> numbers;
    for (int client = 0; client < 300; ++client) {
      numbers.push_back(uniform(rng));
      AddTo(sum, CountsOf(task, {numbers.back()}));
    }
    const Answer answer = AnswerOf(task, sum, 300, 1e-9);
    held += std::abs(answer.mean.value - MeanOf(numbers)) <= answer.mean.half_width ? 1 : 0;
  }
  REQUIRE(held >= 180);  // 95 % of 200, and three standard deviations less
  REQUIRE(held <= 199);
}

TEST_CASE("where noise drowns the rows nothing is made up", "[measure]") {
  v1::TaskSpec task = AnalysisTask("example");
  Ask(task, "age", "moments", 0, 200);
  const Answer answer = AnswerOf(task, {-3, 2, 100, 50}, 3, 50);
  REQUIRE(answer.present.value == Approx(-3));
  REQUIRE(answer.present.half_width > 100);
  REQUIRE_FALSE(answer.mean.known());
  REQUIRE_FALSE(answer.stddev.known());
}

TEST_CASE("noise does not push mean and variance where none can be", "[measure]") {
  v1::TaskSpec task = AnalysisTask("example");
  Ask(task, "age", "moments", 10, 20);
  const Answer answer = AnswerOf(task, {1000, 0, 2000 * 128, -500}, 3, 1);
  REQUIRE(answer.mean.value == Approx(20));
  REQUIRE(answer.variance.value >= 0);
  REQUIRE(AnswerOf(task, {1000, 0, 500 * 128, 1000 * 128}, 3, 1).variance.value >= 0);
}

TEST_CASE("answers are not made of another job's counts", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "age", "count");
  const auto why = [&](const std::vector<std::int64_t>& counts, double noise) {
    return AnswersOf(task, counts, 3, noise).status();
  };
  REQUIRE(MessageOf(why({1, 2, 3}, 0)).find("found 3 counts") != std::string_view::npos);
  REQUIRE(MessageOf(why({1, -2}, 0)).find("without noise") != std::string_view::npos);
  REQUIRE_FALSE(why({1, 2}, -1).ok());
  REQUIRE_FALSE(why({1, 2}, std::nan("")).ok());
  REQUIRE_FALSE(why({1, 2}, 1).ok());  // privacy.unit = "none"
  task.mutable_privacy()->set_unit("example");
  REQUIRE(why({1, -2}, 1).ok());
}

TEST_CASE("running sums are ordered without moving them further off", "[measure]") {
  REQUIRE(Ordered(std::vector<double>{1, 3, 2, 2, 5}) ==
          std::vector<double>{1, 7 / 3.0, 7 / 3.0, 7 / 3.0, 5});
  REQUIRE(Ordered(std::vector<double>{}).empty());
  std::mt19937_64 rng(2);
  std::normal_distribution<double> noise(0, 3);
  for (int draw = 0; draw < 100; ++draw) {
    std::vector<double> truth, noisy;
    double most = 0, moved = 0;
    for (int i = 0; i < 60; ++i) {
      truth.push_back(i / 2);
      noisy.push_back(truth.back() + noise(rng));
      most = std::max(most, std::abs(noisy.back() - truth.back()));
    }
    const std::vector<double> ordered = Ordered(noisy);
    REQUIRE(std::is_sorted(ordered.begin(), ordered.end()));
    for (std::size_t i = 0; i < truth.size(); ++i) {
      moved = std::max(moved, std::abs(ordered[i] - truth[i]));
    }
    REQUIRE(moved <= most + 1e-9);
  }
}

}  // namespace
}  // namespace tutti::measure

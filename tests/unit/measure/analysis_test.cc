#include "common/measure/analysis.h"

#include <cmath>
#include <functional>
#include <limits>
#include <tuple>

#include "common/base/text.h"
#include "tests/catch.h"
#include "tests/unit/measure/questions.h"

namespace tutti::measure {
namespace {

std::string WhyNot(const v1::TaskSpec& task) {
  const auto layout = LayoutOf(task);
  return layout.ok() ? "it has lanes" : std::string(MessageOf(layout.status()));
}

bool Says(const std::string& text, const std::string& part) {
  INFO(text);
  INFO("expected: " << part);
  return text.find(part) != std::string::npos;
}

TEST_CASE("each statistic has its lanes, in the order of the questions", "[measure]") {
  v1::TaskSpec task = AnalysisTask("example");
  Ask(task, "age", "count");
  Ask(task, "age", "moments", 0, 100);
  Ask(task, "age", "histogram", 0, 100, 10);
  Ask(task, "home", {"rent", "own"});
  const auto layout = LayoutOf(task);
  REQUIRE(layout.ok());
  REQUIRE(layout->families.size() == 5);
  REQUIRE(layout->Find("question 1").lanes == 2);
  REQUIRE(layout->Find("question 2").lanes == 2);
  REQUIRE(layout->Find("question 2 sums").lanes == 2);
  REQUIRE(layout->Find("question 3").lanes == 13);
  REQUIRE(layout->Find("question 4").first == 19);
  REQUIRE(layout->Find("question 4").lanes == 4);
  // Without noise sums come in two digits.
  task.mutable_privacy()->set_unit("none");
  REQUIRE(LayoutOf(task)->Find("question 2 sums").lanes == 4);
}

TEST_CASE("a question that cannot be asked is refused by key", "[measure]") {
  REQUIRE(Says(WhyNot(AnalysisTask()), "questions: found 0"));

  const auto with = [](const std::function<void(v1::QuestionSpec&)>& change) {
    v1::TaskSpec task = AnalysisTask();
    change(Ask(task, "age", "histogram", 0, 100, 10));
    return WhyNot(task);
  };
  using Q = v1::QuestionSpec;
  REQUIRE(Says(with([](Q& q) { q.set_column(""); }), "questions[0].column"));
  REQUIRE(Says(with([](Q& q) { q.set_column(" age"); }), "questions[0].column"));
  REQUIRE(Says(with([](Q& q) { q.set_statistic("mode"); }), "questions[0].statistic"));
  REQUIRE(Says(with([](Q& q) { q.set_bins(1); }), "questions[0].bins"));
  REQUIRE(Says(with([](Q& q) { q.set_bins(4294967295U); }), "questions[0].bins"));
  REQUIRE(Says(with([](Q& q) { q.clear_range(); }), "found 0 numbers, expected [low, high]"));
  REQUIRE(Says(with([](Q& q) { q.set_range(1, 0); }), "questions[0].range"));
  REQUIRE(Says(with([](Q& q) { q.set_range(1, std::nan("")); }), "questions[0].range"));
  const double huge = std::numeric_limits<double>::max();
  REQUIRE(Says(with([&](Q& q) {
                 q.set_range(0, -huge);
                 q.set_range(1, huge);
               }),
               "questions[0].range"));
  REQUIRE(Says(with([](Q& q) { q.add_categories("x"); }), "only \"categories\" reads them"));
  REQUIRE(Says(with([](Q& q) { q.set_statistic("count"); }), "only \"moments\" and \"histogram\""));
  REQUIRE(Says(with([](Q& q) {
                 q.set_statistic("categories");
                 q.clear_range();
               }),
               "questions[0].categories: column \"age\": found 0 words"));
  const auto with_words = [&](const std::vector<std::string>& words) {
    return with([&](Q& q) {
      q.set_statistic("categories");
      q.clear_range();
      for (const std::string& word : words) q.add_categories(word);
    });
  };
  REQUIRE(Says(with_words({"a", "b", "a"}), "found \"a\" twice"));
  REQUIRE(Says(with_words({""}), "empty ones are counted as missing"));
  REQUIRE(Says(with_words({"a "}), "without blanks"));
  REQUIRE(with_words({"NA", "b"}) == "it has lanes");
}

TEST_CASE("a column is asked about once for each statistic", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "age", "histogram", 0, 100);
  Ask(task, "age", "moments", 0, 100);
  REQUIRE(WhyNot(task) == "it has lanes");
  Ask(task, "age", "histogram", 0, 50);
  REQUIRE(Says(WhyNot(task), "questions[2].statistic"));
  REQUIRE(Says(WhyNot(task), "twice"));
}

TEST_CASE("more lanes or questions than there are is refused", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  for (int i = 0; i < 256; ++i) {
    Ask(task, Join("c", i), "histogram", 0, 1, 1000);
  }
  REQUIRE(Says(WhyNot(task), "use fewer bins, groups or questions"));
  for (auto& question : *task.mutable_questions()) question.set_bins(10);
  REQUIRE(WhyNot(task) == "it has lanes");
  Ask(task, "one more", "count");
  REQUIRE(Says(WhyNot(task), "questions: found 257"));
}

TEST_CASE("what one row changes stays within the change noise is sized by", "[measure]") {
  v1::TaskSpec task = AnalysisTask("example");
  Ask(task, "x", "moments", -3, 7);
  const CountLayout layout = *LayoutOf(task);
  const auto place = layout.Find("question 1 sums");
  double most = 0;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    // Other rows bring the sums to any place between two units.
    std::vector<double> rows = Numbers(50, seed);
    const std::vector<std::int64_t> without = CountsOf(task, rows);
    for (int i = 0; i <= 1000; ++i) {
      rows.push_back(-3.5 + 11 * i / 1000.0);
      const std::vector<std::int64_t> with = CountsOf(task, rows);
      rows.pop_back();
      double square = 0;
      for (std::uint64_t lane = place.first; lane < place.first + place.lanes; ++lane) {
        square += std::pow(static_cast<double>(with[lane] - without[lane]), 2);
      }
      most = std::max(most, std::sqrt(square));
      REQUIRE(with[0] - without[0] == 1);
      REQUIRE(with[1] == without[1]);
    }
  }
  REQUIRE(most <= kSumsChange);
  REQUIRE(most >= kSumUnits);  // the bound is no larger than it has to be
}

TEST_CASE("the edges of the bins are the left ends of the numbers in them", "[measure]") {
  for (const auto& [low, high, bins] : std::vector<std::tuple<double, double, std::uint32_t>>{
           {0, 1, 10}, {-1, 2, 7}, {0.1, 0.7, 1000}, {1e9, 1e9 + 1, 3}}) {
    v1::TaskSpec task = AnalysisTask();
    const v1::QuestionSpec question = Ask(task, "x", "histogram", low, high, bins);
    for (std::uint32_t bin = 0; bin <= bins; ++bin) {
      const std::vector<std::int64_t> at = CountsOf(task, {BinEdge(question, bin)});
      // The right end of the range is in the last bin.
      REQUIRE(at[std::min(bin, bins - 1) + 1] == 1);
    }
    const double infinity = std::numeric_limits<double>::infinity();
    REQUIRE(CountsOf(task, {std::nextafter(low, -infinity)}).front() == 1);
    const std::vector<std::int64_t> above = CountsOf(task, {std::nextafter(high, infinity)});
    REQUIRE(above[bins + 1] == 1);
  }
}

TEST_CASE("words are counted as they are written", "[measure]") {
  v1::TaskSpec task = AnalysisTask();
  Ask(task, "home", {"rent", "own", "NA"});
  QuestionTally tally = *QuestionTally::Create(task);
  REQUIRE(tally.AddCategory(0, "own"));
  REQUIRE(tally.AddCategory(0, "own"));
  REQUIRE(tally.AddCategory(0, "NA"));
  REQUIRE_FALSE(tally.AddCategory(0, "Own"));
  tally.AddOther(0);
  tally.AddMissing(0);
  tally.AddMissing(0);
  REQUIRE(tally.Counts() == std::vector<std::uint64_t>{0, 2, 1, 1, 2});
}

}  // namespace
}  // namespace tutti::measure

#include "client/data/questions.h"

#include "common/base/text.h"
#include "common/measure/answers.h"
#include "tests/unit/data/tables.h"

namespace tutti::data {
namespace {

v1::QuestionSpec& Ask(v1::TaskSpec& task, const std::string& column, const std::string& statistic,
                      const std::vector<double>& range = {},
                      const std::vector<std::string>& categories = {}) {
  v1::QuestionSpec& question = *task.add_questions();
  question.set_column(column);
  question.set_statistic(statistic);
  question.set_bins(4);
  for (const double end : range) question.add_range(end);
  for (const std::string& word : categories) question.add_categories(word);
  return question;
}

v1::TaskSpec Survey() {
  v1::TaskSpec task;
  task.set_kind("analyse");
  task.mutable_privacy()->set_unit("none");
  return task;
}

const std::string kTable =
    "age,home,y\n"
    "30,rent,good\n"
    " 40 , own ,bad\n"
    "NA,rent,good\n"
    ",boat,good\n"
    "30,rent,good\n"
    "95,NA,bad\n";

using Counts = std::vector<std::uint64_t>;

StatusOr<QuestionCounts> Answered(
    const std::string& text, const v1::TaskSpec& task,
    const Change& change = [](v1::DataConfig&) {}) {
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", text));
  change(config);
  return AnswerQuestions(config, task);
}

Counts CountsIn(
    const std::string& text, const v1::TaskSpec& task,
    const Change& change = [](v1::DataConfig&) {}) {
  const auto answered = Answered(text, task, change);
  INFO(answered.status());
  REQUIRE(answered.ok());
  return answered->counts;
}

std::string WhyNotAnswered(
    const std::string& text, const v1::TaskSpec& task,
    const Change& change = [](v1::DataConfig&) {}) {
  const auto answered = Answered(text, task, change);
  return answered.ok() ? "it was answered" : TextOf(answered.status());
}

TEST_CASE("questions are answered from the cells as they are in the file", "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "age", "count");
  Ask(task, "age", "histogram", {0, 80});
  Ask(task, "home", "categories", {}, {"own", "rent"});
  Ask(task, "y", "categories", {}, {"good", "bad"});
  const auto answered = Answered(kTable, task);
  REQUIRE(answered.ok());
  REQUIRE(answered->rows == 6);
  REQUIRE(answered->counts == Counts{4, 2,                 // age is there, and missing
                                     0, 0, 2, 1, 0, 1, 2,  // 30 and 30, 40; 95 is above
                                     1, 3, 1, 1,           // own, rent; boat; NA
                                     4, 2, 0, 0});
}

TEST_CASE("moments are of the numbers that are there", "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "age", "moments", {0, 100});
  const Counts counts = CountsIn(kTable, task);
  const std::vector<std::int64_t> sums(counts.begin(), counts.end());
  const auto answers = measure::AnswersOf(task, sums, 1, 0);
  REQUIRE(answers.ok());
  REQUIRE((*answers)[0].mean.value == Approx((30 + 40 + 30 + 95) / 4.0).margin(1e-3));
  REQUIRE((*answers)[0].missing.value == Approx(2));
}

TEST_CASE("rows that preparation would leave out or change are counted as they are", "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "age", "histogram", {0, 80});
  Ask(task, "home", "categories", {}, {"own", "rent"});
  const Counts plain = CountsIn(kTable, task);
  REQUIRE(CountsIn(kTable, task, [](v1::DataConfig& config) {
            config.mutable_csv()->set_missing("drop");
            config.mutable_csv()->set_duplicates("drop");
            config.mutable_csv()->add_classes("good");
            config.mutable_csv()->add_classes("bad");
            config.set_validation_fraction(0.5);
            v1::ColumnSpec& age = AddColumn(config, "age");
            age.add_range(35);
            age.add_range(50);
            age.set_outliers("drop");
            age.set_transform("log");
            AddColumn(config, "home", "one_hot", {"rent"}).set_unknown("drop");
          }) == plain);
}

TEST_CASE("NA is a word where it is asked for or declared as one", "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "home", "categories", {}, {"rent", "NA"});
  REQUIRE(CountsIn(kTable, task) == Counts{3, 1, 2, 0});
  v1::TaskSpec count = Survey();
  Ask(count, "home", "count");
  REQUIRE(CountsIn(kTable, count) == Counts{5, 1});
  REQUIRE(CountsIn(kTable, count, [](v1::DataConfig& config) {
            AddColumn(config, "home", "one_hot", {"rent", "own", "boat", "NA"});
          }) == Counts{6, 0});
}

TEST_CASE("a word where a number is asked for stops the answer, with its place", "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "home", "moments", {0, 1});
  const std::string why = WhyNotAnswered(kTable, task);
  REQUIRE(Says(why, "t.csv:2: column \"home\" has \"rent\", expected a number"));
  REQUIRE(Says(why, "its categories"));
}

TEST_CASE("a column that is not there is named, with the nearest one", "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "aeg", "count");
  REQUIRE(Says(WhyNotAnswered(kTable, task), "t.csv:1: the job asks about a column \"aeg\""));
  REQUIRE(Says(WhyNotAnswered(kTable, task), "does it mean \"age\"?"));
}

TEST_CASE("of sensitive columns only categories are counted", "[data]") {
  const auto sensitive = [](v1::DataConfig& config) { config.add_sensitive("home"); };
  v1::TaskSpec task = Survey();
  Ask(task, "home", "categories", {}, {"own", "rent"});
  REQUIRE(CountsIn(kTable, task, sensitive) == Counts{1, 3, 1, 1});
  v1::TaskSpec count = Survey();
  Ask(count, "home", "count");
  const auto refused = Answered(kTable, count, sensitive);
  REQUIRE(refused.status().code() == StatusCode::kPermissionDenied);
  REQUIRE(Says(TextOf(refused.status()), "data.sensitive"));
}

TEST_CASE("questions that cannot be and tables that are none are refused", "[data]") {
  REQUIRE(Says(WhyNotAnswered(kTable, Survey()), "questions: found 0"));
  v1::TaskSpec task = Survey();
  Ask(task, "age", "count");
  REQUIRE(Says(WhyNotAnswered("", task), "is empty"));
  REQUIRE(Says(WhyNotAnswered("age,y\n", task), "no examples"));
  REQUIRE(Says(WhyNotAnswered("age,y\n1\n", task), "1 cells, the header has 2"));
  REQUIRE(Says(WhyNotAnswered("age,age,y\n1,2,3\n", task), "are both called \"age\""));
  REQUIRE(Says(WhyNotAnswered(kTable, task, [](auto& config) { config.set_file("/nowhere"); }),
               "/nowhere"));
  REQUIRE(Says(WhyNotAnswered(kTable, task, [](auto& config) { config.set_max_bytes(10); }),
               "data.max_bytes = 10"));
  REQUIRE(Says(WhyNotAnswered(kTable, task, [](auto& config) { config.set_format("xml"); }),
               "data.format is \"xml\""));
}

std::string LargeTable(std::size_t rows) {
  std::string text = "age,school,y\n";
  for (std::size_t i = 0; i < rows; ++i) {
    text += Join(i * 37 % 100, ",s", i * 31 % 7, ",",
                 i % 11 == 0  ? "NA"
                 : i % 3 == 0 ? "1"
                              : "0",
                 "\n");
  }
  return text;
}

TEST_CASE("the answers of all slices add up to those of the whole table", "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "age", "histogram", {10, 90});
  Ask(task, "age", "moments", {0, 50});
  Ask(task, "school", "categories", {}, {"s1", "s3", "s9"});
  Ask(task, "y", "categories", {}, {"0", "1"});
  const std::string text = LargeTable(700);
  const auto whole = Answered(text, task);
  REQUIRE(whole.ok());
  const std::vector<std::int64_t> all(whole->counts.begin(), whole->counts.end());
  for (const std::string kind : {"iid", "dirichlet", "column"}) {
    INFO(kind);
    constexpr std::uint32_t kParts = 5;
    std::uint64_t rows = 0;
    std::vector<std::int64_t> sum(all.size());
    for (std::uint32_t part = 0; part < kParts; ++part) {
      const auto answered = Answered(text, task, [&](v1::DataConfig& config) {
        v1::SliceConfig& slice = *config.mutable_slice();
        slice.set_kind(kind);
        slice.set_index(part);
        slice.set_count(kParts);
        slice.set_alpha(0.5);
        if (kind == "column") slice.set_column("school");
      });
      REQUIRE(answered.ok());
      REQUIRE(answered->rows < 700);
      rows += answered->rows;
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += static_cast<std::int64_t>(answered->counts[i]);
      }
    }
    REQUIRE(rows == 700);
    const auto pooled = measure::AnswersOf(task, all, 1, 0);
    const auto summed = measure::AnswersOf(task, sum, kParts, 0);
    REQUIRE(summed.ok());
    REQUIRE((*summed)[1].mean.value == (*pooled)[1].mean.value);
    REQUIRE((*summed)[1].variance.value == (*pooled)[1].variance.value);
    // All lanes but the two digits of the sums, which carry.
    const auto digits = measure::AnalysisLayout(task)->Find("question 2 sums");
    for (std::size_t i = 0; i < sum.size(); ++i) {
      if (i >= digits.first && i < digits.first + digits.lanes) continue;
      REQUIRE(sum[i] == all[i]);
    }
  }
}

TEST_CASE("a slice is asked about the rows it trains on", "[data]") {
  std::string text = "age,y\n";
  for (int i = 0; i < 300; ++i) text += Join(i, ",", i % 3 == 0 ? "good" : "bad", "\n");
  v1::TaskSpec task = Survey();
  Ask(task, "y", "categories", {}, {"good", "bad"});
  for (const std::string kind : {"iid", "dirichlet"}) {
    const Change change = [&](v1::DataConfig& config) {
      config.mutable_csv()->add_classes("good");
      config.mutable_csv()->add_classes("bad");
      config.mutable_slice()->set_kind(kind);
      config.mutable_slice()->set_index(2);
      config.mutable_slice()->set_count(4);
      config.mutable_slice()->set_alpha(0.5);
      config.mutable_slice()->set_seed(9);
    };
    const auto trained = Prepared(text, change);
    REQUIRE(trained.ok());
    const std::vector<std::uint64_t> classes = trained->ClassCounts(2);
    REQUIRE(CountsIn(text, task, change) == Counts{classes[0], classes[1], 0, 0});
  }
}

TEST_CASE("a row without the cell that says whose it is stops the answer, or is nobody's",
          "[data]") {
  v1::TaskSpec task = Survey();
  Ask(task, "age", "count");
  const std::string text = "age,school,y\n1,a,0\n2,,0\n3,b,1\n";
  const auto sliced = [](const std::string& missing) {
    return [missing](v1::DataConfig& config) {
      config.mutable_slice()->set_kind("column");
      config.mutable_slice()->set_column("school");
      config.mutable_slice()->set_count(1);
      AddColumn(config, "school").set_missing(missing);
    };
  };
  REQUIRE(Says(WhyNotAnswered(text, task, sliced("refuse")), "t.csv:3: column \"school\""));
  REQUIRE(CountsIn(text, task, sliced("drop")) == Counts{2, 0});
}

TEST_CASE("of images the classes are counted and nothing else", "[data]") {
  const TestFolder folder;
  v1::DataConfig config;
  config.set_format("idx");
  config.set_labels(folder.Write("labels", Idx({6}, std::string("\0\3\3\1\3\xff", 6))));
  v1::TaskSpec task = Survey();
  Ask(task, "label", "categories", {}, {"0", "1", "2", "3"});
  const auto answered = AnswerQuestions(config, task);
  REQUIRE(answered.ok());
  REQUIRE(answered->rows == 6);
  REQUIRE(answered->counts == Counts{1, 1, 0, 3, 1, 0});

  Ask(task, "label", "count");
  const auto refused = AnswerQuestions(config, task);
  REQUIRE(Says(TextOf(refused.status()), "only \"categories\" of the column \"label\""));
  config.clear_labels();
  task.mutable_questions()->RemoveLast();
  REQUIRE(Says(TextOf(AnswerQuestions(config, task).status()), "data.labels must be set"));
}

}  // namespace
}  // namespace tutti::data

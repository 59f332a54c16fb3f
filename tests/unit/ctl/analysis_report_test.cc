#include "server/ctl/analysis_report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "common/config/load.h"
#include "common/config/validate.h"
#include "common/measure/question_tally.h"
#include "tests/catch.h"
#include "tutti/v1/config.pb.h"

namespace tutti::ctl {
namespace {

using Json = nlohmann::ordered_json;
using Counts = std::vector<std::int64_t>;

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

v1::TaskSpec Survey(const std::string& unit = "none") {
  v1::TaskSpec task;
  task.set_job("survey");
  task.set_kind("analyse");
  task.mutable_privacy()->set_unit(unit);
  Ask(task, "age", "moments", {0, 100});
  Ask(task, "age", "histogram", {0, 80});
  Ask(task, "home", "categories", {}, {"rent", "own"});
  Ask(task, "status", "categories", {}, {"good", "bad"});
  Ask(task, "name", "count");
  Ask(task, "size", "moments", {0, 1});
  return task;
}

// 100 rows: age 20 and 60 and 10 missing ones, three quarters of the homes rented, two of them
// boats; size is always 1.
Counts CountsOf(const v1::TaskSpec& task) {
  measure::QuestionTally tally = *measure::QuestionTally::Create(task);
  for (int row = 0; row < 100; ++row) {
    if (row < 10) {
      tally.AddMissing(0);
      tally.AddMissing(1);
    } else {
      tally.AddNumber(0, row % 2 == 0 ? 20 : 60);
      tally.AddNumber(1, row % 2 == 0 ? 20 : 60);
    }
    if (row < 2) {
      tally.AddOther(2);
    } else {
      tally.AddCategory(2, row % 4 == 0 ? "own" : "rent");
    }
    tally.AddCategory(3, row < 80 ? "good" : "bad");
    tally.AddPresent(4);
    tally.AddNumber(5, 1);
  }
  const std::vector<std::uint64_t> counts = tally.Counts();
  return {counts.begin(), counts.end()};
}

bool Says(const std::string& text, const std::string& part) {
  UNSCOPED_INFO(text);
  UNSCOPED_INFO("expected: " << part);
  return text.find(part) != std::string::npos;
}

TEST_CASE("answers are tables and bars", "[ctl]") {
  const v1::TaskSpec task = Survey();
  const Counts counts = CountsOf(task);
  const auto text = AnalysisText(task, {counts, 3, 0});
  REQUIRE(text.ok());
  REQUIRE(Says(*text, "name        100        0         0.00 %\n"));
  REQUIRE(Says(*text, "age         0 to 100       90       10    40                  20\n"));
  REQUIRE(Says(*text, "rent              74  74.00 %            0.66216  " + std::string(40, '#')));
  REQUIRE(Says(*text, "good                80  80.00 %              0.625  "));
  REQUIRE(Says(*text, "      20      40     45  " + std::string(40, '#') + "\n"));
  REQUIRE(Says(*text, "    50 %     40  20 and 40\n"));
  REQUIRE(Says(*text, "any other"));
  REQUIRE_FALSE(Says(*text, "+- "));
}

TEST_CASE("noise is told with every figure, and hidden rows are not made up", "[ctl]") {
  const v1::TaskSpec task = Survey("example");
  const Counts counts = CountsOf(task);
  const auto text = AnalysisText(task, {counts, 3, 0.5});
  REQUIRE(text.ok());
  REQUIRE(Says(*text, "74 +- 3"));
  const auto drowned = AnalysisText(task, {counts, 3, 100});
  REQUIRE(drowned.ok());
  REQUIRE(Says(*drowned, "not known"));
  const auto json = AnalysisJson(task, {counts, 3, 100});
  REQUIRE(json.ok());
  REQUIRE((*json)[0]["mean"].is_null());
  REQUIRE((*json)[0]["present"]["value"] == 90.0);
  REQUIRE((*json)[0]["present"]["half_width"] > 400.0);
}

TEST_CASE("the words of a job cannot reach the terminal as they are", "[ctl]") {
  v1::TaskSpec task;
  task.set_job("x\x1b[31m");
  task.set_kind("analyse");
  task.mutable_privacy()->set_unit("none");
  Ask(task, "a\x1b[31m", "histogram", {0, 1});
  Ask(task, "b\x1b[31m", "categories", {}, {"w\x1b[31m\xff"});
  const Counts counts(measure::AnalysisLayout(task)->lanes());
  for (const auto& text :
       {AnalysisText(task, {counts, 3, 0}), AnalysisToml(task, {counts, 3, 0}, "l\x1b")}) {
    REQUIRE(text.ok());
    REQUIRE(text->find('\x1b') == std::string::npos);
    REQUIRE(text->find('\xff') == std::string::npos);
  }
}

TEST_CASE("JSON holds every figure of a statistic and no other", "[ctl]") {
  const v1::TaskSpec task = Survey();
  const Counts counts = CountsOf(task);
  const Json json = *AnalysisJson(task, {counts, 3, 0});
  INFO(json.dump(1));
  REQUIRE(json.size() == 6);
  const Json& moments = json[0];
  REQUIRE(moments["column"] == "age");
  REQUIRE(std::abs(moments["mean"]["value"].get<double>() - 40) < 1e-3);
  REQUIRE(std::abs(moments["stddev"]["value"].get<double>() - 20) < 1e-2);
  REQUIRE_FALSE(moments.contains("bins"));
  const Json& histogram = json[1];
  REQUIRE(histogram["bins"].size() == 4);
  REQUIRE(histogram["bins"][1]["low"] == 20.0);
  REQUIRE(histogram["bins"][1]["cells"]["value"] == 45.0);
  REQUIRE(histogram["quantiles"].size() == 7);
  const Json& status = json[3];
  REQUIRE(status["categories"][1]["word"] == "bad");
  REQUIRE(std::abs(status["categories"][1]["class_weight"]["value"].get<double>() - 2.5) < 1e-12);
  REQUIRE(status["other"]["value"] == 0.0);
  REQUIRE(json[4]["missing_share"]["value"] == 0.0);
}

TEST_CASE("TOML gives every client the same preparation", "[ctl]") {
  const v1::TaskSpec task = Survey();
  const Counts counts = CountsOf(task);
  const auto snippet = AnalysisToml(task, {counts, 3, 0}, "status");
  REQUIRE(snippet.ok());
  INFO(*snippet);
  v1::ClientConfig config;
  config::LoadResult loaded = config::LoadText(
      "state_directory = \"s\"\npolicy_file = \"p\"\n[data]\nformat = \"csv\"\nfile = \"t.csv\"\n" +
          *snippet,
      "client.toml", config);
  config::Validate(config, loaded);
  REQUIRE(config::ToText(loaded.problems).empty());
  const v1::CsvSchema& csv = config.data().csv();
  REQUIRE(csv.label() == "status");
  REQUIRE(csv.classes_size() == 2);
  REQUIRE(csv.features_size() == 3);
  REQUIRE(csv.features(0) == "age");
  REQUIRE(csv.features(1) == "home");
  REQUIRE(csv.means(0) == Approx(40).margin(1e-3));
  REQUIRE(csv.stddevs(0) == Approx(20).margin(1e-2));
  REQUIRE(csv.means(1) == Approx(0).margin(0));
  REQUIRE(csv.stddevs(1) == Approx(1));
  REQUIRE(csv.columns_size() == 3);
  REQUIRE(csv.columns(0).missing() == "mean");
  REQUIRE(csv.columns(0).range(1) == Approx(100));
  REQUIRE(csv.columns(1).kind() == "one_hot");
  REQUIRE(csv.columns(1).unknown() == "ignore");
  REQUIRE(csv.columns(1).missing() == "default");
  // Constant columns are not divided by nothing.
  REQUIRE(csv.stddevs(2) == Approx(1));
  REQUIRE(csv.columns(2).missing() == "default");
  REQUIRE(Says(*snippet, "class_weights = [0.625, 2.5]"));
}

TEST_CASE("TOML without a label says what is left to do, and needs a feature", "[ctl]") {
  v1::TaskSpec task = Survey();
  const Counts counts = CountsOf(task);
  REQUIRE(Says(*AnalysisToml(task, {counts, 3, 0}, ""), "# label = "));
  v1::TaskSpec one;
  one.set_kind("analyse");
  one.mutable_privacy()->set_unit("none");
  Ask(one, "y", "categories", {}, {"a", "b"});
  const Counts zeros(4);
  REQUIRE(AnalysisToml(one, {zeros, 3, 0}, "y").status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(AnalysisToml(one, {zeros, 3, 0}, "").ok());
}

TEST_CASE("any word comes back from TOML as it was", "[ctl]") {
  v1::TaskSpec task;
  task.set_kind("analyse");
  task.mutable_privacy()->set_unit("none");
  const std::vector<std::string> words = {"plain", "a\"b\\c", "gr\xc3\xbc\xc3\x9f",
                                          "\xf0\x9f\x98\x80", "comma, [x] = #"};
  Ask(task, "w", "categories", {}, words);
  const Counts zeros(words.size() + 2);
  v1::ClientConfig config;
  const config::LoadResult loaded =
      config::LoadText(*AnalysisToml(task, {zeros, 3, 0}, "y"), "t.toml", config);
  REQUIRE(loaded.readable);
  const auto& found = config.data().csv().columns(0).categories();
  REQUIRE(std::vector<std::string>(found.begin(), found.end()) == words);
}

TEST_CASE("with noise every column is ready for cells that may be missing", "[ctl]") {
  const v1::TaskSpec task = Survey("example");
  const Counts counts = CountsOf(task);
  const auto snippet = AnalysisToml(task, {counts, 3, 0.5}, "status");
  REQUIRE(Says(*snippet, "with privacy noise (multiplier 0.5)"));
  v1::ClientConfig config;
  config::LoadText(*snippet, "t.toml", config);
  for (const v1::ColumnSpec& column : config.data().csv().columns()) {
    REQUIRE(column.missing() != "default");
  }
}

TEST_CASE("a report of counts of another job is refused", "[ctl]") {
  const v1::TaskSpec task = Survey();
  const Counts counts(3);
  REQUIRE_FALSE(AnalysisText(task, {counts, 3, 0}).ok());
  REQUIRE_FALSE(AnalysisJson(task, {counts, 3, 0}).ok());
  REQUIRE_FALSE(AnalysisToml(task, {counts, 3, 0}, "").ok());
}

}  // namespace
}  // namespace tutti::ctl

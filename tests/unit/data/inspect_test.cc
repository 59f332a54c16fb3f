#include "client/data/inspect.h"

#include <algorithm>

#include "tests/unit/data/tables.h"

namespace tutti::data {
namespace {

Inspection Inspected(
    const std::string& text, const Change& change = [](auto&) {}) {
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", text));
  change(config);
  auto inspection = Inspect(config);
  INFO(inspection.status());
  REQUIRE(inspection.ok());
  return *std::move(inspection);
}

// The finding whose text holds `part`; fails without one.
Finding FindingAbout(const Inspection& inspection, const std::string& part) {
  std::string all;
  for (const Finding& finding : inspection.findings) {
    if (finding.text.find(part) != std::string::npos) return finding;
    all += finding.text + "\n";
  }
  INFO("expected: " << part << "\nfound:\n" << all);
  REQUIRE(false);
  return {};
}

bool Stops(const Inspection& inspection) {
  return std::any_of(inspection.findings.begin(), inspection.findings.end(),
                     [](const Finding& finding) { return finding.stops; });
}

// `count` rows: a number of its own kind, an amount, a word.
std::string Rows(int count) {
  std::string text = "id,amount,home,y\n";
  for (int i = 0; i < count; ++i) {
    text += std::to_string(i + 100) + "," + std::to_string(20 + (i * 7) % 31) + "," +
            (i % 3 == 0 ? "own" : "rent") + "," + std::to_string(i % 2) + "\n";
  }
  return text;
}

void DeclareHome(v1::DataConfig& config) { AddColumn(config, "home", "one_hot", {"own", "rent"}); }

}  // namespace

TEST_CASE("a table that can be trained on says what a job needs", "[data]") {
  const Inspection inspection = Inspected(Rows(60), [](auto& config) {
    DeclareHome(config);
    for (const char* name : {"amount", "home"}) config.mutable_csv()->add_features(name);
    config.set_validation_fraction(0.2);
  });
  REQUIRE_FALSE(Stops(inspection));
  REQUIRE(inspection.rows == 60);
  REQUIRE(inspection.data->examples == 60);
  REQUIRE(inspection.data->validation > 0);
  REQUIRE(inspection.input_shape == std::vector<std::uint64_t>{3});
  REQUIRE(inspection.class_names == std::vector<std::string>{"0", "1"});
  REQUIRE(inspection.columns[0].use == "not used");
  REQUIRE(inspection.columns[1].use == "feature");
  REQUIRE(inspection.columns[3].use == "label");
  const Numbers amounts = inspection.columns[1].found.Summary().value();
  REQUIRE(amounts.smallest == 20);
  REQUIRE(amounts.largest == 50);
}

TEST_CASE("words, missing cells and numbers far out are found at once, with what to write",
          "[data]") {
  std::string text = Rows(60);
  text += "160,,own,1\n161,NA,own,0\n162,1e6,own,1\n";
  const Inspection inspection = Inspected(text);
  REQUIRE(Stops(inspection));
  REQUIRE_FALSE(inspection.data.has_value());
  const Finding words =
      FindingAbout(inspection, "\"home\" is declared a number and holds words in 63");
  REQUIRE(words.stops);
  REQUIRE(Says(words.advice, "kind = \"one_hot\", categories = [\"own\", \"rent\"]"));
  const Finding missing = FindingAbout(inspection,
                                       "\"amount\" is missing in 2 rows (3.2 %), the first "
                                       "at line 62");
  REQUIRE(missing.stops);
  const Finding far = FindingAbout(inspection, "\"amount\" has 1 numbers far out");
  REQUIRE_FALSE(far.stops);
  REQUIRE(Says(far.advice, "transform = \"log\""));
  REQUIRE_FALSE(FindingAbout(inspection, "\"id\" numbers the rows").stops);
  // Those that stop come first.
  REQUIRE(inspection.findings.front().stops);
  REQUIRE_FALSE(inspection.findings.back().stops);
}

TEST_CASE("what preparation does about a cell is a hint", "[data]") {
  const Inspection inspection =
      Inspected(Rows(60) + "160,999,boat,1\n160,999,boat,1\n", [](auto& config) {
        AddColumn(config, "home", "one_hot", {"own", "rent", "free"}).set_unknown("ignore");
        v1::ColumnSpec& amount = AddColumn(config, "amount");
        amount.add_range(0);
        amount.add_range(100);
      });
  REQUIRE_FALSE(Stops(inspection));
  REQUIRE(FindingAbout(inspection, "none of its categories: [\"boat\"]").advice ==
          "they are ignored");
  REQUIRE(FindingAbout(inspection, "2 numbers outside 0 to 100").advice == "they are clipped");
  REQUIRE(
      Says(FindingAbout(inspection, "never has its categories [\"free\"]").advice, "misspelling"));
  REQUIRE(
      Says(FindingAbout(inspection, "1 rows (1.6 %) equal an earlier one").advice, "duplicates"));
  REQUIRE(inspection.equal_rows == 1);
}

TEST_CASE("the label's words, balance and the sizes of groups are looked at", "[data]") {
  std::string text = "a,sex,y\n";
  for (int i = 0; i < 100; ++i) {
    text +=
        std::to_string(i % 13) + "," + (i < 5 ? "f" : "m") + "," + (i < 3 ? "yes" : "no") + "\n";
  }
  const Finding words =
      FindingAbout(Inspected(text, [](auto& config) { config.add_sensitive("sex"); }),
                   "\"y\" is the label and holds words");
  REQUIRE(Says(words.advice, "classes = [\"no\", \"yes\"]"));
  const Inspection fixed = Inspected(text, [](auto& config) {
    config.add_sensitive("sex");
    for (const char* word : {"no", "yes"}) config.mutable_csv()->add_classes(word);
  });
  REQUIRE_FALSE(Stops(fixed));
  REQUIRE(fixed.class_names == std::vector<std::string>{"no", "yes"});
  FindingAbout(fixed, "classes are rare among this client's 100 training examples: \"yes\" 3");
  FindingAbout(fixed, "group \"f\" of \"sex\" has 5 examples here");
}

TEST_CASE("statistics of a client's own examples come with what they mean for privacy", "[data]") {
  const Inspection inspection = Inspected(Rows(60), [](auto& config) {
    DeclareHome(config);
    config.mutable_csv()->set_scaling("standard");
  });
  REQUIRE(inspection.local_statistics == std::vector<std::string>{"data.csv.scaling"});
  REQUIRE(Says(FindingAbout(inspection, "data.csv.scaling compute").advice, "refused"));
}

TEST_CASE("columns of very different size are a hint unless something scales them", "[data]") {
  std::string text = "small,large,y\n";
  for (int i = 0; i < 60; ++i) {
    text += "0." + std::to_string(i % 10) + "," + std::to_string(1000 * (i % 17)) + ",1\n";
  }
  FindingAbout(Inspected(text), "\"large\" has a standard deviation");
  for (const Finding& finding : Inspected(text, [](auto& config) {
                                  config.mutable_csv()->set_scaling("min_max");
                                }).findings) {
    REQUIRE(finding.text.find("very different size") == std::string::npos);
  }
}

TEST_CASE("a configuration that does not fit the table still gets a report", "[data]") {
  const Inspection inspection =
      Inspected(Rows(60), [](auto& config) { config.mutable_csv()->add_features("amonut"); });
  REQUIRE(Says(FindingAbout(inspection, "no column \"amonut\"").text, "did you mean \"amount\"?"));
  REQUIRE(inspection.columns[1].found.numbers() == 60);
  const Inspection uneven = Inspected("a,y\n1,0\n1,2,3\n4\n");
  FindingAbout(uneven, "2 of 3 rows do not have the header's 2 cells, the first at line 3");
  const TestFolder folder;
  REQUIRE(Inspect(TableConfig(folder.Path("none"))).status().code() == StatusCode::kNotFound);
}

TEST_CASE("a number to predict needs one output and no classes", "[data]") {
  const Inspection inspection =
      Inspected("a,y\n1,2.5\n2,3\n", [](auto& config) { config.set_target("number"); });
  REQUIRE(inspection.label_kind == LabelKind::kNumber);
  REQUIRE(inspection.class_names.empty());
}

TEST_CASE("images say their shape", "[data]") {
  const TestFolder folder;
  v1::DataConfig config;
  config.set_format("idx");
  config.set_images(folder.Write("i", Idx({2, 1, 3}, "abcdef")));
  config.set_labels(folder.Write("l", Idx({2}, std::string{'\0', '\2'})));
  const auto inspection = Inspect(config);
  REQUIRE(inspection->input_shape == std::vector<std::uint64_t>{1, 3});
  REQUIRE(inspection->class_names.size() == 3);
  REQUIRE(inspection->data->examples == 2);
  config.set_images(config.labels());
  REQUIRE(Says(TextOf(Inspect(config).status()), "are images and labels swapped?"));
}

TEST_CASE("a column's profile counts what is there", "[data]") {
  ColumnProfile profile;
  std::uint64_t line = 1;
  for (const char* cell : {"1", "2", "", "2", "x", "NA", "4.5"}) profile.Add(cell, ++line);
  REQUIRE(profile.cells() == 7);
  REQUIRE(profile.missing() == 2);
  REQUIRE(profile.first_missing_line() == 4);
  REQUIRE(profile.words() == 1);
  REQUIRE(profile.first_word_line() == 6);
  REQUIRE(profile.numbers() == 4);
  REQUIRE(profile.different() == 4);
  REQUIRE(profile.Summary()->median == 2);
  REQUIRE(profile.Summary()->mean == Approx(9.5 / 4));
  REQUIRE(profile.Outside(1.5, 4) == 2);
  ColumnProfile many;
  for (int i = 0; i < 3000; ++i) many.Add(std::to_string(i), 1);
  REQUIRE(many.HasTooManyToCount());
  REQUIRE(many.whole_numbers());
}

}  // namespace tutti::data

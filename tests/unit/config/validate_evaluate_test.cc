#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

// Measures a model; says nothing of how to train.
const std::string kEvaluate = R"(name = "measure"
rounds = 1
kind = "evaluate"
warm_start = "model.safetensors"

[model]
architecture = "logistic"
input_shape = [4]
classes = 2

[training]
learning_rate = 0.5
batch_size = 16

[privacy]
unit = "none"

[cohort]
size = 4
)";

Lines With(const std::string& from, const std::string& to) {
  return Problems<v1::JobConfig>(Replaced(kEvaluate, from, to));
}

bool Found(const Lines& lines, const std::string& key, const std::string& words) {
  return lines.size() == 1 && lines[0].find(" " + key + ": ") != std::string::npos &&
         lines[0].find(words) != std::string::npos;
}

TEST_CASE("a job that evaluates needs a model and no steps of training", "[config]") {
  REQUIRE(Problems<v1::JobConfig>(kEvaluate).empty());
  REQUIRE(Found(With("warm_start = \"model.safetensors\"\n", ""), "warm_start",
                "missing: kind = \"evaluate\" measures the model of a safetensors file"));
  REQUIRE(With("rounds = 1", "rounds = 5").empty());
}

TEST_CASE("noise of a job that evaluates is that of examples, by the devices", "[config]") {
  REQUIRE(With("unit = \"none\"", "unit = \"example\"\nnoise_multiplier = 2").empty());
  REQUIRE(Found(With("unit = \"none\"", "unit = \"client\"\nnoise_multiplier = 2"), "privacy.unit",
                "sized by what one example changes"));
  for (const std::string noise : {"central", "tree"}) {
    const Lines lines = With("unit = \"none\"",
                             "unit = \"example\"\nnoise_multiplier = 2\nnoise = \"" + noise + "\"");
    REQUIRE(Found(lines, "privacy.noise", "where the devices add the noise"));
  }
}

TEST_CASE("what only says how to train is refused by name in a job that evaluates", "[config]") {
  const std::vector<std::pair<std::string, std::string>> training{
      {"correction", "\"nova\""}, {"proximal", "0.1"},    {"fairness_power", "1"},
      {"agnostic_rate", "1"},     {"max_staleness", "2"}, {"average_decay", "0.5"},
      {"schedule", "\"linear\""}};
  for (const auto& [key, value] : training) {
    INFO(key);
    REQUIRE(Found(With("batch_size = 16", "batch_size = 16\n" + key + " = " + value),
                  "training." + key, "trains nothing"));
  }
  const std::vector<std::tuple<std::string, std::string, std::string>> others{
      {"server", "optimiser", "\"adam\""},
      {"robust", "groups", "2\nrule = \"mean\""},
      {"robust", "max_update_norm", "1"},
      {"evaluation", "patience", "2\nevery = 1"},
      {"secure_aggregation", "weighting", "\"examples\""},
      {"secure_aggregation", "sampled_fraction", "0.5"},
      {"secure_aggregation", "rotate", "true"}};
  for (const auto& [section, key, value] : others) {
    const Lines lines =
        Problems<v1::JobConfig>(kEvaluate + "\n[" + section + "]\n" + key + " = " + value + "\n");
    INFO(section << "." << key << ": " << (lines.empty() ? "no problem" : lines[0]));
    REQUIRE(!lines.empty());
    REQUIRE(lines[0].find(section + "." + key) != std::string::npos);
  }
  REQUIRE(Found(With("unit = \"none\"", "unit = \"none\"\ncounts_noise_multiplier = 1"),
                "privacy.counts_noise_multiplier", "trains nothing"));
}

TEST_CASE("what cannot be counted is refused at its key", "[config]") {
  REQUIRE(Found(With("classes = 2", "classes = 1000"), "model.classes", "confusion matrix"));
  const std::string groups =
      "\n[fairness]\nattribute = \"sex\"\ngroups = [\"f\", \"m\"]\npositive_class = 1\n";
  REQUIRE(Problems<v1::JobConfig>(kEvaluate + groups).empty());
  REQUIRE(Found(Problems<v1::JobConfig>(Replaced(kEvaluate + groups, "class = 1", "class = 2")),
                "fairness.positive_class", "one of the model's 2 classes"));
  REQUIRE(Found(Problems<v1::JobConfig>(kEvaluate + groups + "rule = \"penalty\"\n"),
                "fairness.rule", "trains nothing"));
}

TEST_CASE("a job that evaluates asks no questions", "[config]") {
  REQUIRE(
      Found(Problems<v1::JobConfig>(kEvaluate + "\n[[questions]]\ncolumn = \"age\"\nstatistic = "
                                                "\"count\"\n"),
            "questions", "only \"analyse\" answers them"));
}

TEST_CASE("bins belong to jobs that evaluate", "[config]") {
  REQUIRE(Problems<v1::JobConfig>(kEvaluate + "\n[measure]\nbins = 50\n").empty());
  REQUIRE(
      Found(Problems<v1::JobConfig>(kEvaluate + "\n[measure]\nbins = 1\n"), "measure.bins", "2"));
  REQUIRE(Problems<v1::JobConfig>(kJob + "\n[measure]\nbins = 20\n").empty());
  REQUIRE(Found(Problems<v1::JobConfig>(kJob + "\n[measure]\nbins = 50\n"), "measure.bins",
                "only \"evaluate\" reads it"));
}

}  // namespace
}  // namespace tutti::config

#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

const std::string kSurvey = R"(name = "survey"
kind = "analyse"
rounds = 1

[privacy]
unit = "none"

[cohort]
size = 4

[[questions]]
column = "age"
statistic = "moments"
range = [0, 100]

[[questions]]
column = "home"
statistic = "categories"
categories = ["rent", "own"]
)";

Lines With(const std::string& from, const std::string& to) {
  return Problems<v1::JobConfig>(Replaced(kSurvey, from, to));
}

bool IsOneSaying(const Lines& lines, const std::string& key, const std::string& text) {
  for (const std::string& line : lines) UNSCOPED_INFO(line);
  UNSCOPED_INFO("expected: " << key << ": ... " << text);
  return lines.size() == 1 && lines.front().find(": " + key + ": ") != std::string::npos &&
         lines.front().find(text) != std::string::npos;
}

TEST_CASE("a job that analyses needs neither model nor training", "[config]") {
  REQUIRE(Problems<v1::JobConfig>(kSurvey).empty());
  v1::JobConfig job;
  const LoadResult loaded = LoadText(kSurvey, "job.toml", job);
  REQUIRE(loaded.readable);
  REQUIRE(CheckJob(job).ok());
}

TEST_CASE("a job that trains still needs its model", "[config]") {
  const Lines lines = With("kind = \"analyse\"", "");
  REQUIRE(lines.size() > 3);
  bool questions = false, architecture = false;
  for (const std::string& line : lines) {
    questions |= line.find("questions: found with kind = \"train\"") != std::string::npos;
    architecture |= line.find("model.architecture: missing") != std::string::npos;
  }
  REQUIRE(questions);
  REQUIRE(architecture);
}

TEST_CASE("questions need a job that answers them", "[config]") {
  const std::string question = "\n[[questions]]\ncolumn = \"age\"\nstatistic = \"count\"\n";
  REQUIRE(IsOneSaying(Problems<v1::JobConfig>(kJob + question), "questions", "only \"analyse\""));
}

TEST_CASE("sections about a model are refused in a job without one", "[config]") {
  for (const std::string section :
       {"[model]\narchitecture = \"mlp\"", "[training]\nbatch_size = 3", "[server]\nmomentum = 0.5",
        "[evaluation]\nevery = 1", "[fairness]\nattribute = \"sex\"", "[measure]\nbins = 5",
        "[adversary]\nradius = 0.1"}) {
    const std::string name = section.substr(1, section.find(']') - 1);
    INFO(section);
    REQUIRE(IsOneSaying(Problems<v1::JobConfig>(kSurvey + "\n" + section + "\n"), name,
                        "has no model; remove the section"));
  }
  REQUIRE(IsOneSaying(With("rounds = 1", "rounds = 1\nwarm_start = \"first.safetensors\""),
                      "warm_start", "has no model"));
  REQUIRE(IsOneSaying(With("rounds = 1", "rounds = 2"), "rounds", "expected 1"));
  const LoadResult overridden = [] {
    v1::JobConfig job;
    LoadResult result =
        LoadText(kSurvey, "job.toml", job, {.command_line = {"model.architecture=logistic"}});
    Validate(job, result);
    return result;
  }();
  REQUIRE(overridden.problems.size() == 1);
  REQUIRE(overridden.problems.front().key == "model.architecture");
}

TEST_CASE("problems of a submitted analysis that came from no file are found too", "[config]") {
  v1::JobConfig job;
  LoadText(kSurvey, "job.toml", job);
  REQUIRE(CheckJob(job).ok());
  job.mutable_model()->set_architecture("logistic");
  REQUIRE(std::string(MessageOf(CheckJob(job))).find("model: found") != std::string::npos);
  job.mutable_model()->clear_architecture();
  job.mutable_fairness()->set_attribute("sex");
  REQUIRE(std::string(MessageOf(CheckJob(job))).find("fairness.attribute") != std::string::npos);
  job.mutable_fairness()->clear_attribute();
  job.mutable_questions(0)->mutable_range()->Clear();
  REQUIRE(std::string(MessageOf(CheckJob(job))).find("questions[0].range") != std::string::npos);
}

TEST_CASE("every question that cannot be is named, at its place", "[config]") {
  const std::size_t at = kSurvey.find("[[questions]]");
  REQUIRE(IsOneSaying(Problems<v1::JobConfig>(kSurvey.substr(0, at)), "questions", "found 0"));
  REQUIRE(With("range = [0, 100]", "range = [100, 0]") ==
          Lines{"job.toml:14:1: questions[0].range: column \"age\": found [100, 0], expected two "
                "finite numbers with the low one first"});
  REQUIRE(IsOneSaying(With("range = [0, 100]", "range = [0, 100]\nbins = 5"), "questions[0].bins",
                      "only \"histogram\" reads it"));
  REQUIRE(IsOneSaying(With("range = [0, 100]", ""), "questions[0].range", "found 0 numbers"));
  REQUIRE(IsOneSaying(With("\"own\"]", "\"own\"]\nrange = [0, 1]"), "questions[1].range",
                      "only \"moments\" and \"histogram\""));
  REQUIRE(IsOneSaying(With("\"own\"]", "\"rent\"]"), "questions[1].categories", "twice"));
  // All of them at once.
  std::string text = Replaced(kSurvey, "range = [0, 100]", "");
  text = Replaced(text, "categories = [\"rent\", \"own\"]", "");
  REQUIRE(Problems<v1::JobConfig>(text).size() == 2);
}

TEST_CASE("more lanes than a sum has are refused", "[config]") {
  std::string text = kSurvey;
  for (int i = 0; i < 70; ++i) {
    text += "\n[[questions]]\ncolumn = \"c" + std::to_string(i) +
            "\"\nstatistic = \"histogram\"\nrange = [0, 1]\nbins = 1000\n";
  }
  REQUIRE(IsOneSaying(Problems<v1::JobConfig>(text), "questions", "use fewer bins"));
}

TEST_CASE("counts are protected by the clients' noise and nothing else", "[config]") {
  const auto privacy = [](const std::string& keys) { return With("unit = \"none\"", keys); };
  const std::string noise = "noise_multiplier = 1.0\n";
  REQUIRE(privacy("unit = \"example\"\n" + noise).empty());
  REQUIRE(privacy("unit = \"example\"\nnoise = \"distributed\"\n" + noise).empty());
  REQUIRE(privacy("unit = \"example\"\ntarget_epsilon = 2.0").empty());
  REQUIRE(IsOneSaying(privacy("unit = \"client\"\n" + noise), "privacy.unit", "drown"));
  REQUIRE(IsOneSaying(privacy("noise = \"central\"\n" + noise), "privacy.noise", "clients' noise"));
  REQUIRE(IsOneSaying(privacy("noise = \"tree\"\n" + noise), "privacy.noise", "clients' noise"));
  for (const std::string key :
       {"clip_norm = 2.0", "sampling_rate = 0.5", "counts_noise_multiplier = 1.0"}) {
    INFO(key);
    REQUIRE(IsOneSaying(privacy(key + "\n" + noise), "privacy." + key.substr(0, key.find(' ')),
                        "trains nothing"));
  }
  REQUIRE(With("[cohort]", "[secure_aggregation]\nweighting = \"examples\"\n[cohort]").size() == 1);
  REQUIRE(With("[cohort]", "[robust]\nmax_update_norm = 3.0\n[cohort]").size() == 1);
}

}  // namespace
}  // namespace tutti::config

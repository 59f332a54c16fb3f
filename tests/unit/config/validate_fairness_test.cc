#include "common/base/text.h"
#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

// A job of two groups with privacy for examples; `fairness` goes on in its section.
std::string Fair(const std::string& fairness,
                 const std::string& privacy = "target_epsilon = 2\ncounts_noise_multiplier = 8") {
  return Replaced(kJob, "target_epsilon = 2", privacy) +
         "\n[fairness]\nattribute = \"sex\"\ngroups = [\"female\", \"male\"]\n" + fairness;
}

TEST_CASE("every rule of fairness fits a job of classes", "[config]") {
  for (const char* fairness :
       {"", "rule = \"reweigh\"", "rule = \"penalty\"\nstrength = 3\nramp_rounds = 2",
        "rule = \"constraint\"\nstrength = 0.3\ntolerance = 0.05\ncriterion = "
        "\"equal_opportunity\"\npositive_class = 0"}) {
    REQUIRE(Problems<v1::JobConfig>(Fair(fairness)).empty());
    REQUIRE(Problems<v1::JobConfig>(Fair(fairness, "unit = \"none\"")).empty());
  }
}

TEST_CASE("without a column there is nothing to compare or to count", "[config]") {
  const std::string job = std::string(kJob) + "\n[fairness]\n";
  RequireProblem(job + "rule = \"penalty\"", "fairness.rule", "fairness.attribute");
  RequireProblem(job + "groups = [\"a\", \"b\"]", "fairness.groups", "fairness.attribute");
  RequireProblem(
      Replaced(kJob, "target_epsilon = 2", "target_epsilon = 2\ncounts_noise_multiplier = 8"),
      "privacy.counts_noise_multiplier", "nothing is counted");
}

TEST_CASE("numbers that the rule does not read are refused by name", "[config]") {
  RequireProblem(Fair("strength = 2"), "fairness.strength", "rule = \"none\"");
  RequireProblem(Fair("rule = \"reweigh\"\nstrength = 2"), "fairness.strength", "\"reweigh\"");
  RequireProblem(Fair("rule = \"penalty\"\ntolerance = 0.1"), "fairness.tolerance",
                 "only \"constraint\" reads it");
  RequireProblem(Fair("ramp_rounds = 1"), "fairness.ramp_rounds", "rule = \"none\"");
  RequireProblem(Fair("rule = \"penalty\"\nstrength = 0"), "fairness.strength", "changes nothing");
  RequireProblem(Fair("rule = \"penalty\"\nramp_rounds = 1000"), "fairness.ramp_rounds", "rounds");
}

TEST_CASE("groups are at least two different words, and the benefit is a class", "[config]") {
  const auto with = [](const std::string& groups) {
    return Replaced(Fair(""), "groups = [\"female\", \"male\"]", groups);
  };
  RequireProblem(with("groups = [\"female\"]"), "fairness.groups", "at least 2");
  RequireProblem(with(""), "fairness.groups", "at least 2");
  RequireProblem(with("groups = [\"male\", \"male\"]"), "fairness.groups", "twice");
  RequireProblem(Fair("positive_class = 1000"), "fairness.positive_class", "classes");
  std::string number = Replaced(Fair(""), "classes = 2", "classes = 1");
  number = Replaced(number, "\"logistic\"", "\"linear\"");
  number = Replaced(number, "local_steps = 2", "local_steps = 2\nloss = \"mse\"");
  RequireProblem(number, "fairness.attribute", "choose between classes");
}

TEST_CASE("counts of groups need noise that fits what is protected", "[config]") {
  RequireProblem(Fair("", "target_epsilon = 2"), "privacy.counts_noise_multiplier",
                 "would leave without noise");
  RequireProblem(Fair("", "unit = \"none\"\ncounts_noise_multiplier = 8"),
                 "privacy.counts_noise_multiplier", "promises nothing");
  RequireProblem(Fair("", "unit = \"client\"\ntarget_epsilon = 2"), "privacy.unit", "would hide");
  for (const char* noise : {"central", "tree"}) {
    RequireProblem(
        Fair("", Join("target_epsilon = 2\ncounts_noise_multiplier = 8\nnoise = \"", noise, "\"")),
        "privacy.noise", "added by the clients");
  }
}

TEST_CASE("strategies that a rule of fairness does not fit are refused by name", "[config]") {
  const std::string plain = Fair("rule = \"penalty\"", "unit = \"none\"");
  const auto training = [&](const std::string& more) {
    return Replaced(plain, "local_steps = 2", "local_steps = 2\n" + more);
  };
  RequireProblem(training("fairness_power = 1"), "training.fairness_power", "by their loss");
  RequireProblem(training("correction = \"ditto\"\nproximal = 0.1"), "training.correction",
                 "\"ditto\"");
  RequireProblem(
      Replaced(plain, "size = 4", "size = 12") + "\n[robust]\ngroups = 3\nrule = \"median\"",
      "robust.rule", "lies");
  REQUIRE(Problems<v1::JobConfig>(training("correction = \"scaffold\"")).empty());
  REQUIRE(
      Problems<v1::JobConfig>(Replaced(plain, "size = 4", "size = 12") + "\n[robust]\ngroups = 3\n")
          .empty());
}

}  // namespace
}  // namespace tutti::config

#include "common/base/text.h"
#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

// A job whose clients count answers; `more` goes on in the section [evaluation].
std::string ByClients(const std::string& privacy = "unit = \"none\"", const std::string& more = "",
                      const std::string& training = "") {
  return Replaced(Replaced(kJob, "target_epsilon = 2", privacy), "local_steps = 2",
                  "local_steps = 2\n" + training) +
         "\n[evaluation]\nby = \"clients\"\n" + more;
}

constexpr const char* kPlateau =
    "schedule = \"plateau\"\nplateau_rounds = 3\nfinal_learning_rate = 0.001";

TEST_CASE("clients can evaluate with privacy and without, and steer the learning rate",
          "[config]") {
  REQUIRE(Problems<v1::JobConfig>(ByClients()).empty());
  REQUIRE(
      Problems<v1::JobConfig>(ByClients("unit = \"none\"", "patience = 3\n", kPlateau)).empty());
  REQUIRE(Problems<v1::JobConfig>(ByClients("target_epsilon = 2\ncounts_noise_multiplier = 8"))
              .empty());
}

TEST_CASE("what clients count needs noise that fits what is protected", "[config]") {
  RequireProblem(ByClients("target_epsilon = 2"), "privacy.counts_noise_multiplier",
                 "would leave without noise");
  RequireProblem(ByClients("unit = \"none\"\ncounts_noise_multiplier = 8"),
                 "privacy.counts_noise_multiplier", "promises nothing");
  RequireProblem(ByClients("unit = \"client\"\ntarget_epsilon = 2"), "privacy.unit", "would hide");
  for (const char* noise : {"central", "tree"}) {
    RequireProblem(
        ByClients(Join("target_epsilon = 2\ncounts_noise_multiplier = 8\nnoise = \"", noise, "\"")),
        "privacy.noise", "added by the clients");
  }
  RequireProblem(
      Replaced(kJob, "target_epsilon = 2", "target_epsilon = 2\ncounts_noise_multiplier = 8"),
      "privacy.counts_noise_multiplier", "nothing is counted");
}

TEST_CASE("where counting by clients means nothing it is refused by name", "[config]") {
  RequireProblem(ByClients("unit = \"none\"", "every = 2\n"), "evaluation.every",
                 "count in every round");
  RequireProblem(ByClients("unit = \"none\"", "", "max_staleness = 2"), "training.max_staleness",
                 "whose counts are of the round's model");
  RequireProblem(Replaced(ByClients("unit = \"none\"", "", kPlateau), "by = \"clients\"", ""),
                 "training.schedule", "evaluation.by");
}

}  // namespace
}  // namespace tutti::config

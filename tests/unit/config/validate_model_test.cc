// A job's model, what of it is trained, and the loss.
#include "common/base/text.h"
#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

// The small job with other lines in [model] and [training], and lines before them.
Lines Job(const std::string& model, const std::string& loss = "", const std::string& first = "",
          const std::string& privacy = "target_epsilon = 2") {
  std::string text =
      Replaced(kJob, "architecture = \"logistic\"\ninput_shape = [4]\nclasses = 2", model);
  text = Replaced(text, "local_steps = 2", "local_steps = 2\n" + loss);
  return Problems<v1::JobConfig>(first + Replaced(text, "target_epsilon = 2", privacy));
}

void RequireProblem(const Lines& lines, const std::string& text) {
  INFO(JoinWith(lines, "\n"));
  REQUIRE(lines.size() == 1);
  REQUIRE(lines.front().find(text) != std::string::npos);
}

const std::string kWarm = "warm_start = \"base.safetensors\"\n";
const std::string kLogistic = "architecture = \"logistic\"\ninput_shape = [4]\nclasses = 2\n";

TEST_CASE("every built-in architecture can be a job", "[config]") {
  for (const std::string model :
       {"architecture = \"resnet\"\ninput_shape = [3, 16, 16]\nclasses = 2\nwidth = 8",
        "architecture = \"cnn1d\"\ninput_shape = [3, 16]\nclasses = 2",
        "architecture = \"gru\"\ninput_shape = [16]\nclasses = 2",
        "architecture = \"text_bag\"\ninput_shape = [16]\nclasses = 2\nvocabulary = 50",
        "architecture = \"transformer\"\ninput_shape = [16]\nclasses = 2\nvocabulary = 50"}) {
    INFO(JoinWith(Job(model), "\n"));
    REQUIRE(Job(model).empty());
  }
  REQUIRE(
      Job("architecture = \"linear\"\ninput_shape = [4]\nclasses = 1", "loss = \"mse\"").empty());
}

TEST_CASE("a loss of numbers goes with one class, cross entropy with more", "[config]") {
  RequireProblem(Job(kLogistic, "loss = \"huber\""),
                 "training.loss: found \"huber\" with classes = 2, expected classes = 1");
  RequireProblem(Job("architecture = \"linear\"\ninput_shape = [4]\nclasses = 1"),
                 "found \"cross_entropy\" with classes = 1");
}

TEST_CASE("a vocabulary and a width belong to the architectures that read them", "[config]") {
  RequireProblem(Job(kLogistic + "vocabulary = 10"),
                 "model.vocabulary: found with architecture \"logistic\"; only \"text_bag\", "
                 "\"transformer\" read it, remove it");
  RequireProblem(Job(kLogistic + "width = 8"), "model.width: found with architecture \"logistic\"");
  RequireProblem(Job("architecture = \"text_bag\"\ninput_shape = [16]\nclasses = 2"),
                 "model.vocabulary is 0, expected the number of tokens");
}

TEST_CASE("frozen weights and adapters need a warm start", "[config]") {
  RequireProblem(Job(kLogistic + "frozen = [\"0.weight\"]"),
                 "model.frozen: found without warm_start");
  RequireProblem(Job(kLogistic + "adapter_rank = 1"),
                 "model.adapter_rank: found without warm_start");
  REQUIRE(Job(kLogistic + "frozen = [\"0.weight\"]", "", kWarm).empty());
  REQUIRE(Job(kLogistic + "adapter_rank = 1", "", kWarm).empty());
  RequireProblem(Job(kLogistic + "frozen = [\"7.weight\"]", "", kWarm),
                 "model.frozen: \"7.weight\" names no parameter");
}

TEST_CASE("personal parameters of single examples need the client's own noise", "[config]") {
  const std::string personal = kLogistic + "personal = [\"0.bias\"]";
  REQUIRE(Job(personal).empty());
  REQUIRE(Job(personal, "", "", "unit = \"none\"").empty());
  const Lines lines =
      Job(personal, "", "", "noise_multiplier = 8\nnoise = \"central\"\nsampling_rate = 0.01");
  INFO(JoinWith(lines, "\n"));
  REQUIRE(lines.size() >= 1);
  REQUIRE(JoinWith(lines, "\n")
              .find("model.personal: found with unit = \"example\" and noise = "
                    "\"central\"") != std::string::npos);
}

// The small job as one of clusters; `from` of it replaced.
Lines Clusters(const std::string& from = "classes = 4", const std::string& to = "classes = 4") {
  std::string text = Replaced(kJob, "architecture = \"logistic\"\ninput_shape = [4]\nclasses = 2",
                              "architecture = \"kmeans\"\ninput_shape = [4]\nclasses = 4");
  text = Replaced(text, "learning_rate = 0.5\nbatch_size = 16\nlocal_steps = 2",
                  "loss = \"distortion\"\nlearning_rate = 1\nbatch_size = 1000\nlocal_steps = 1");
  return Problems<v1::JobConfig>(Replaced(text, from, to));
}

TEST_CASE("a job of clusters names each key that would make its step no mean", "[config]") {
  INFO(JoinWith(Clusters(), "\n"));
  REQUIRE(Clusters().empty());
  RequireProblem(Clusters("loss = \"distortion\"", "loss = \"mse\""),
                 "training.loss: found \"mse\" with a model of centres, expected \"distortion\"");
  RequireProblem(Clusters("learning_rate = 1", "learning_rate = 0.5"),
                 "training.learning_rate: found 0.5 where clusters are found");
  RequireProblem(Clusters("local_steps = 1", "local_epochs = 1"),
                 "training.local_steps: found no single step where clusters are found");
  RequireProblem(Clusters("local_steps = 1", "local_steps = 1\nproximal = 0.1"),
                 "training.proximal: found 0.1 where clusters are found");
  RequireProblem(Clusters("[cohort]", "[server]\noptimiser = \"fedadam\"\n[cohort]"),
                 "server.optimiser: found \"fedadam\" where clusters are found");
  RequireProblem(Clusters("[cohort]", "[server]\nlearning_rate = 0.5\n[cohort]"),
                 "server.learning_rate: found 0.5 where clusters are found");
  RequireProblem(Clusters("[cohort]", "[server]\nmomentum = 0.5\n[cohort]"),
                 "server.momentum: found 0.5 where clusters are found");
  RequireProblem(Clusters("classes = 4", "classes = 1"), "expected at least 2 clusters");
  RequireProblem(Job(kLogistic, "loss = \"distortion\""),
                 "training.loss: found \"distortion\" with a model that has no centres");
  // Several are all named at once.
  REQUIRE(Clusters("learning_rate = 1",
                   "optimiser = \"adam\"\nweight_decay = 0.1\n"
                   "learning_rate = 0.1")
              .size() == 3);
}

TEST_CASE("an agnostic job needs to see its weights without noise", "[config]") {
  RequireProblem(Job(kLogistic, "agnostic_rate = 0.1"),
                 "training.agnostic_rate: with privacy the numbers of steps and losses");
  REQUIRE(Job(kLogistic, "agnostic_rate = 0.1", "", "unit = \"none\"").empty());
  RequireProblem(Job(kLogistic, "agnostic_rate = 0.1\nfairness_power = 1", "", "unit = \"none\""),
                 "training.agnostic_rate: found beside fairness_power");
}

}  // namespace
}  // namespace tutti::config

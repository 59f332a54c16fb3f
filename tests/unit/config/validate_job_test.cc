#include <array>

#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

using Lines = std::vector<std::string>;

Lines With(const std::string& from, const std::string& to) {
  return Problems<v1::JobConfig>(Replaced(kJob, from, to));
}

TEST_CASE("a small job has no contradiction", "[config]") {
  REQUIRE(Problems<v1::JobConfig>(kJob).empty());
}

TEST_CASE("groups need a rule that fits them and enough clients", "[config]") {
  const auto with = [](const std::string& robust) {
    return Problems<v1::JobConfig>(std::string(kJob) + "\n[robust]\n" + robust);
  };
  REQUIRE(with("groups = 1\nrule = \"mean\"").empty());
  for (const auto& [robust, what] : std::vector<std::pair<std::string, std::string>>{
           {"groups = 1\nrule = \"median\"", "expected at least 3 groups"},
           {"groups = 100", "more than size"}}) {
    const Lines lines = with(robust);
    REQUIRE(lines.size() == 1);
    REQUIRE(lines.front().find(what) != std::string::npos);
  }
}

TEST_CASE("late updates go with some strategies and kinds of noise only", "[config]") {
  const std::string late = "local_steps = 2\nmax_staleness = 3";
  REQUIRE(With("local_steps = 2", late + "\nstaleness_power = 1").empty());
  REQUIRE(With("local_steps = 2", late + "\ncorrection = \"ditto\"\nproximal = 0.1") ==
          Lines{"job.toml:13:1: training.max_staleness: late updates cannot go with correction = "
                "\"ditto\", whose personal model follows the round's; remove correction, or set "
                "training.max_staleness = 0"});
  REQUIRE(With("local_steps = 2", "local_steps = 2\nstaleness_power = 1") ==
          Lines{"job.toml:13:1: training.staleness_power: found 1 with max_staleness = 0, so no "
                "update is ever late; set max_staleness, or remove it"});
  REQUIRE(With("local_steps = 2", "local_steps = 2\nstaleness_power = 0.5").empty());
}

TEST_CASE("a job's name has to be usable in paths", "[config]") {
  REQUIRE(With("\"digits\"", "\"../Digits\"") ==
          Lines{"job.toml:1:1: name: found \"../Digits\", expected 1 to 64 characters of a-z 0-9 "
                ". _ - that start with a letter or digit"});
}

TEST_CASE("local steps and local epochs exclude each other", "[config]") {
  REQUIRE(With("local_steps = 2", "local_steps = 2\nlocal_epochs = 1") ==
          Lines{"job.toml:13:1: training.local_epochs: found 1 beside local_steps = 2; keep one "
                "of the two"});
  REQUIRE(With("local_steps = 2", "") ==
          Lines{"job.toml:9:2: training.local_steps: found neither local_steps nor local_epochs; "
                "set one of the two"});
  REQUIRE(With("local_steps = 2", "local_epochs = 2").empty());
}

TEST_CASE("sampling and rotation are refused where they do not fit", "[config]") {
  const auto with = [](const std::string& lines, const std::string& more) {
    return Problems<v1::JobConfig>(
        Replaced(kJob, "target_epsilon = 2", "target_epsilon = 2\n" + more) +
        "\n[secure_aggregation]\n" + lines);
  };
  REQUIRE(with("sampled_fraction = 0.5\nrotate = true", "").empty());
  REQUIRE(with("sampled_fraction = 0.5", "unit = \"client\"").empty());
  for (const auto& [lines, more, what] : std::vector<std::array<std::string, 3>>{
           {"rotate = true", "unit = \"client\"", "rotated anyway"},
           {"sampled_fraction = 0.5", "unit = \"client\"\nnoise = \"tree\"", "noise = \"tree\""},
           {"sampled_fraction = 0", "", "sampled_fraction"},
           {"sampled_fraction = 1.5", "", "sampled_fraction"}}) {
    const Lines found = with(lines, more);
    INFO(lines << " " << more << ": " << (found.empty() ? "nothing" : found.front()));
    REQUIRE(found.size() == 1);
    REQUIRE(found.front().find(what) != std::string::npos);
    REQUIRE(found.front().find("secure_aggregation.") != std::string::npos);
  }
}

TEST_CASE("adam has no momentum of the user's", "[config]") {
  REQUIRE(With("local_steps = 2", "local_steps = 2\noptimiser = \"adam\"\nmomentum = 0.9") ==
          Lines{"job.toml:14:1: training.momentum: found with optimiser = \"adam\", which has its "
                "own; remove it, or use \"sgd\""});
  REQUIRE(With("local_steps = 2", "local_steps = 2\noptimiser = \"adam\"").empty());
}

TEST_CASE("privacy needs noise or a target, not both", "[config]") {
  REQUIRE(With("target_epsilon = 2", "target_epsilon = 2\nnoise_multiplier = 1") ==
          Lines{"job.toml:16:1: privacy.noise_multiplier: found beside target_epsilon; keep one: "
                "the noise gives the epsilon, or the epsilon the noise"});
  REQUIRE(With("target_epsilon = 2", "") ==
          Lines{"job.toml:14:2: privacy.target_epsilon: found neither target_epsilon nor "
                "noise_multiplier; set one, or unit = \"none\" for training without privacy"});
  REQUIRE(With("target_epsilon = 2", "noise_multiplier = 0.8").empty());
}

TEST_CASE("a job without privacy has neither noise nor target", "[config]") {
  REQUIRE(With("target_epsilon = 2", "unit = \"none\"").empty());
  REQUIRE(With("target_epsilon = 2", "unit = \"none\"\ntarget_epsilon = 2").size() == 1);
  REQUIRE(With("target_epsilon = 2", "unit = \"none\"\nnoise_multiplier = 2").size() == 1);
}

TEST_CASE("a client is not planned for more rounds than the job has", "[config]") {
  REQUIRE(With("target_epsilon = 2", "target_epsilon = 2\nplanned_rounds = 4") ==
          Lines{"job.toml:16:1: privacy.planned_rounds: found 4, but the job has 3 rounds; lower "
                "it, or 0 for all of them"});
  REQUIRE(With("target_epsilon = 2", "target_epsilon = 2\nplanned_rounds = 3").empty());
}

TEST_CASE("the cohort holds its smallest number and stays below ten thousand", "[config]") {
  REQUIRE(With("size = 4", "size = 4\nmin_clients = 5").size() == 1);
  REQUIRE(With("size = 4", "size = 4\nmin_clients = 4").empty());
  REQUIRE(With("size = 4", "size = 9000\nover_selection = 1.2") ==
          Lines{"job.toml:19:1: cohort.over_selection: size * over_selection is 10800 clients, "
                "expected at most 10000; lower one of the two"});
}

TEST_CASE("enough honest clients have to stay to open the sum", "[config]") {
  const auto fractions = [](const std::string& text) {
    return Problems<v1::JobConfig>(kJob + "[secure_aggregation]\n" + text);
  };
  REQUIRE(fractions("corrupt_fraction = 0.4\ndropout_fraction = 0.3\n").size() == 1);
  REQUIRE(fractions("corrupt_fraction = 0.2\ndropout_fraction = 0.2\n").empty());
  REQUIRE(
      fractions("level = \"curious\"\ncorrupt_fraction = 0.4\ndropout_fraction = 0.3\n").empty());
  REQUIRE(
      fractions("level = \"curious\"\ncorrupt_fraction = 0.4\ndropout_fraction = 0.6\n").size() ==
      1);
}

TEST_CASE("what the protocol would refuse of a submitted job is found in its file", "[config]") {
  const auto cohort = [](const std::string& size, const std::string& secagg) {
    return Problems<v1::JobConfig>(Replaced(kJob, "size = 4", size) + "[secure_aggregation]\n" +
                                   secagg);
  };
  REQUIRE(cohort("size = 2000", "dropout_fraction = 0.05").empty());
  REQUIRE(
      cohort("size = 2001", "dropout_fraction = 0.05") ==
      Lines{"job.toml:18:1: cohort.size: size * over_selection is 2001 clients, expected at most "
            "2000 at level \"malicious\"; lower it, or use level \"curious\""});
  REQUIRE(cohort("size = 2001", "level = \"curious\"").empty());
  // The commits are counted for every cohort from min_clients on.
  REQUIRE(
      cohort("size = 8", "dropout_fraction = 0.4")
          .front()
          .find("job.toml:20:1: secure_aggregation.dropout_fraction: no round is safe with these "
                "settings: ") == 0);
  REQUIRE(cohort("size = 8", "value_clip = 1e-13").front().find("value_clip = ") !=
          std::string::npos);
  // Sparse graphs: too many would collude and vanish among 1000.
  REQUIRE(cohort("size = 1000", "corrupt_fraction = 0.2\ndropout_fraction = 0.2").size() == 1);
  REQUIRE(cohort("size = 1000", "corrupt_fraction = 0.1\ndropout_fraction = 0.1").empty());
}

TEST_CASE("a model has to fit into a masked vector", "[config]") {
  REQUIRE(With("\"logistic\"\ninput_shape = [4]",
               "\"mlp\"\ninput_shape = [65536]\nhidden = [16384, 8192]")
              .front()
              .find("job.toml:5:1: model.architecture: the model has ") == 0);
}

TEST_CASE("weights by examples would reveal data that no noise protects", "[config]") {
  const std::string weighting = "[secure_aggregation]\nweighting = \"examples\"\n";
  REQUIRE(Problems<v1::JobConfig>(kJob + weighting).size() == 1);
  REQUIRE(
      Problems<v1::JobConfig>(Replaced(kJob, "target_epsilon = 2", "unit = \"none\"") + weighting)
          .empty());
}

TEST_CASE("keys of another architecture are contradictions", "[config]") {
  REQUIRE(With("classes = 2", "classes = 2\nhidden = [8]") ==
          Lines{"job.toml:8:1: model.hidden: found with architecture \"logistic\"; only \"mlp\" "
                "has hidden layers, remove it"});
  REQUIRE(With("classes = 2", "classes = 2\nnormalisation = \"group\"").size() == 1);
  REQUIRE(Problems<v1::JobConfig>(kJob + "[[model.layers]]\ntype = \"relu\"\n") ==
          Lines{"job.toml:19:9: model.layers: found layers with architecture \"logistic\"; remove "
                "them, or set architecture = \"layers\""});
  REQUIRE(With("\"logistic\"", "\"layers\"").size() == 1);
  REQUIRE(With("\"logistic\"", "\"mlp\"").size() <= 1);
}

TEST_CASE("a job of a TorchScript file names it by hash and brings its first weights", "[config]") {
  const std::string hash(64, 'a');
  const auto script = [](const std::string& sha256, const std::string& first,
                         const std::string& more) {
    return Problems<v1::JobConfig>(
        first +
        Replaced(kJob, "architecture = \"logistic\"",
                 "architecture = \"torchscript\"\ntorchscript_sha256 = \"" + sha256 + "\"" + more));
  };
  const std::string warm = "warm_start = \"first.safetensors\"\n";
  REQUIRE(script(hash, warm, "").empty());
  REQUIRE(script(hash, warm, "\nparameters = [{name = \"w\", shape = [2, 4]}]").empty());
  REQUIRE(
      script(hash, "", "").front().find("warm_start: missing: architecture = \"torchscript\"") !=
      std::string::npos);
  for (const std::string& wrong :
       {std::string(), hash + "a", std::string(64, 'A'), std::string("model.pt")}) {
    const Lines lines = script(wrong, warm, "");
    REQUIRE(lines.size() == 1);
    REQUIRE(lines.front().find("model.torchscript_sha256: found \"" + wrong) != std::string::npos);
  }
  // The rest of the model is checked although its layout is not known yet.
  REQUIRE(script(hash, warm, "\nhidden = [4]").size() == 1);
  REQUIRE(script(hash, warm, "\nfeatures = \"scattering\"").size() == 1);
  REQUIRE(script(hash, warm, "\nparameters = [{name = \"w\"}, {name = \"w\"}]").size() == 1);
  REQUIRE(
      With("classes = 2", "classes = 2\ntorchscript_sha256 = \"" + hash + "\"") ==
      Lines{"job.toml:8:1: model.torchscript_sha256: found with architecture \"logistic\"; only "
            "\"torchscript\" reads it, remove it"});
  REQUIRE(With("classes = 2", "classes = 2\nparameters = [{name = \"w\"}]").size() == 1);
}

TEST_CASE("a model that does not fit together is refused before anything starts", "[config]") {
  REQUIRE(With("\"logistic\"", "\"lenet5\"")
              .front()
              .find("job.toml:6:1: model.input_shape: the model does not fit together: ") == 0);
  const std::string layers = Replaced(kJob, "\"logistic\"", "\"layers\"");
  REQUIRE(Problems<v1::JobConfig>(layers + "[[model.layers]]\ntype = \"linear\"\noutputs = 2\n")
              .empty());
  REQUIRE(Problems<v1::JobConfig>(layers + "[[model.layers]]\ntype = \"linear\"\noutputs = 3\n")
              .front()
              .find("model.layers: the model does not fit together: ") != std::string::npos);
}

TEST_CASE("a rule is silent about a key that already has a problem", "[config]") {
  REQUIRE(With("size = 4", "size = \"4\"\nmin_clients = 5").size() == 1);
  REQUIRE(With("target_epsilon = 2", "target_epsilon = \"2\"").size() == 1);
  REQUIRE(With("input_shape = [4]", "input_shape = [0]").size() == 1);
}

TEST_CASE("a job from the wire is checked like one from a file", "[config]") {
  v1::JobConfig job;
  REQUIRE(LoadText(kJob, "job.toml", job).problems.empty());
  REQUIRE(CheckJob(job).ok());

  v1::JobConfig wrong = job;
  wrong.set_name("A b");
  wrong.mutable_cohort()->set_min_clients(9);
  wrong.mutable_training()->set_learning_rate(-1);
  wrong.mutable_model()->set_architecture("perceptron");
  const Status status = CheckJob(wrong);
  REQUIRE(status.code() == StatusCode::kInvalidArgument);
  const std::string text(MessageOf(status));
  for (const char* key :
       {"name: ", "cohort.min_clients: ", "training.learning_rate: ", "model.architecture: "}) {
    INFO(text);
    REQUIRE(text.find(key) != std::string::npos);
  }
  REQUIRE_FALSE(CheckJob(v1::JobConfig()).ok());
}

}  // namespace
}  // namespace tutti::config

// Simulations that really train, on small images.
#include "server/simulate/learning.h"

#include <cmath>

#include "common/learn/train.h"
#include "common/model/initial_weights.h"
#include "server/simulate/chance.h"
#include "tests/unit/simulate/trial.h"

namespace tutti::simulate {
namespace {

// The updates of all clients in `round`, from `weights`, without a ring.
std::vector<float> PlainMean(const Trial& trial, std::uint64_t round,
                             const std::vector<float>& weights) {
  std::vector<double> sum(weights.size());
  for (std::size_t client = 0; client < kClients; ++client) {
    std::vector<float> features;
    std::vector<std::uint32_t> labels;
    for (const std::uint32_t row : trial.population.rows(client)) {
      const auto from = trial.data->features.begin() + static_cast<std::ptrdiff_t>(row * 64);
      features.insert(features.end(), from, from + 64);
      labels.push_back(trial.data->labels[row]);
    }
    auto rng = StreamOf(trial.world.seed(), "client", client, round, 1);
    std::vector<float> update = weights;
    REQUIRE(learn::Train(trial.job.config.model(), trial.job.config.training(),
                         trial.job.config.privacy(), {.features = features, .labels = labels},
                         update, rng, [](std::uint64_t, std::uint64_t) {})
                .ok());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += update[i];
  }
  std::vector<float> mean;
  for (const double value : sum) mean.push_back(static_cast<float>(value / kClients));
  return mean;
}

}  // namespace

TEST_CASE("a simulation is plain federated averaging but for the rounding of the ring",
          "[simulate]") {
  const ImageFiles files(120, 20);
  const Trial trial = NewTrial(files, ImageJob());
  std::vector<float> weights = model::InitialWeights(trial.job.layout, 1);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const std::vector<float> mean = PlainMean(trial, round, weights);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] += mean[i];
  }
  learn::SetUp(1);
  auto learners = NewLearners(trial.job.config.model(), trial.data, 1, "");
  auto course = Course::Start(trial.job, {});
  REQUIRE(Simulate({trial.job, trial.world, trial.population}, false, *learners, *course, {}).ok());
  // A step of the ring is 2e-6; three rounds' errors reach later ones through the gradients.
  for (std::size_t i = 0; i < weights.size(); ++i) {
    REQUIRE(course->weights()[i] == Approx(weights[i]).margin(2e-5));
  }
}

TEST_CASE("training on any number of threads, with or without masks, gives the same bytes",
          "[simulate]") {
  const ImageFiles files(120, 40);
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{},
        {"privacy.unit=example", "privacy.noise_multiplier=0.7", "privacy.delta=1e-3"}}) {
    const Trial trial = NewTrial(files, ImageJob(more), {"dropout.training=0.1"});
    const Outcome one = RunTrial(trial, 1, false);
    REQUIRE(one.report.rounds.size() == 3);
    REQUIRE(RunTrial(trial, 3, false).model == one.model);
    REQUIRE(RunTrial(trial, 1, true).model == one.model);
    REQUIRE(*RunTrial(trial, 3, false).report.rounds[2].test_loss ==
            *one.report.rounds[2].test_loss);
  }
}

TEST_CASE("noise that is asked for costs epsilon, more with more rounds", "[simulate]") {
  const ImageFiles files(120, 20);
  const auto epsilon = [&](const std::string& rounds) {
    const Trial trial =
        NewTrial(files, ImageJob({"privacy.unit=example", "privacy.noise_multiplier=1",
                                  "privacy.delta=1e-3", "rounds=" + rounds}));
    return RunTrial(trial, 1, false).report;
  };
  const Report few = epsilon("2");
  const Report many = epsilon("6");
  REQUIRE(few.most_rounds == 2);
  REQUIRE(few.epsilon_coordinator > 0.1);
  REQUIRE(many.epsilon_coordinator > few.epsilon_coordinator);
  REQUIRE(many.epsilon_models == Approx(many.epsilon_coordinator));
}

TEST_CASE("the median of groups withstands liars that spoil the mean", "[simulate]") {
  const ImageFiles files(240, 80);
  const std::vector<std::string> liars{"malicious.share=0.09", "malicious.kind=sign_flip",
                                       "malicious.strength=40"};
  const std::vector<std::string> groups{"robust.groups=4", "robust.rule=median", "rounds=6"};
  const Outcome spoiled = RunTrial(NewTrial(files, ImageJob({"rounds=6"}), liars), 1, false);
  const Outcome withstood = RunTrial(NewTrial(files, ImageJob(groups), liars), 1, false);
  REQUIRE(spoiled.report.rounds.back().malicious == 1);
  REQUIRE(Accuracy(spoiled) < 0.6);
  REQUIRE(Accuracy(withstood) > 0.9);
}

TEST_CASE("reversed labels, noise and scaling change the model", "[simulate]") {
  const ImageFiles files(120, 20);
  const Outcome honest = RunTrial(NewTrial(files, ImageJob()), 1, false);
  for (const std::string kind : {"label_flip", "noise", "scale"}) {
    const Outcome attacked = RunTrial(
        NewTrial(files, ImageJob(),
                 {"malicious.share=0.25", "malicious.kind=" + kind, "malicious.strength=3"}),
        1, false);
    REQUIRE(attacked.report.rounds.back().malicious == 3);
    REQUIRE(attacked.model != honest.model);
  }
}

TEST_CASE("clients whose training diverges sit out, and without any the job ends", "[simulate]") {
  const ImageFiles files(120, 20);
  const Trial trial =
      NewTrial(files, ImageJob({"training.learning_rate=1000", "training.weight_decay=1",
                                "training.local_epochs=20", "deadlines.max_failures=2"}));
  const Report report = RunTrial(trial, 1, false).report;
  INFO(report.ended);
  REQUIRE(report.ended.find("2 attempts failed in a row") != std::string::npos);
  REQUIRE(report.ended.find("diverged") != std::string::npos);
}

TEST_CASE("images are changed anew in training where the data says so", "[simulate]") {
  const ImageFiles files(120, 20);
  Trial trial = NewTrial(files, ImageJob());
  const Outcome plain = RunTrial(trial, 1, false);
  auto changed = std::make_shared<LearningData>(*trial.data);
  changed->config.add_augment("noise");
  trial.data = changed;
  const Outcome augmented = RunTrial(trial, 1, false);
  REQUIRE(augmented.model != plain.model);
  REQUIRE(RunTrial(trial, 2, true).model == augmented.model);
}

TEST_CASE("examples that models are measured on are nobody's", "[simulate]") {
  const ImageFiles files(100, 20);
  const auto job = SmallJob(ImageJob());
  v1::SimulationConfig world = SmallWorld({"clients=10"});
  const std::string client = files.folder() + "/client.toml";
  std::ofstream(client) << "state_directory = \"s\"\npolicy_file = \"p\"\n[data]\nformat = "
                           "\"idx\"\nimages = \""
                        << files.images() << "\"\nlabels = \"" << files.labels() << "\"\n";
  auto examples =
      LoadExamples({.data = client, .test = "", .test_fraction = 0.3}, job.config.model(), world);
  INFO(TextOf(examples.status()));
  REQUIRE(examples.ok());
  REQUIRE(examples->test.examples == 30);
  std::size_t owned = 0;
  for (const std::uint32_t owner : examples->owners) owned += owner == kNobody ? 0U : 1U;
  REQUIRE(owned == 70);
  REQUIRE(Population::Create(world, 10, examples->owners)->rows(0).size() == 7);
}

TEST_CASE("each cell of a column is a client, or several are with fewer clients", "[simulate]") {
  const ImageFiles files(1, 1);  // for its folder
  const std::string table = files.folder() + "/table.csv";
  std::ofstream(table) << "school,a,b,c,y\nnorth,1,2,3,0\nsouth,1,2,3,1\neast,4,5,6,0\nnorth,7,8,"
                          "9,1\nwest,1,1,1,0\n";
  const std::string client = files.folder() + "/client.toml";
  std::ofstream(client) << "state_directory = \"s\"\npolicy_file = \"p\"\n[data]\nformat = "
                           "\"csv\"\nfile = \""
                        << table << "\"\n[data.csv]\nlabel = \"y\"\nfeatures = [\"a\", \"b\", "
                        << "\"c\"]\n";
  const auto job = SmallJob();
  const auto owners = [&](const std::string& clients) {
    const auto examples = LoadExamples(
        {.data = client, .test = "", .test_fraction = 0}, job.config.model(),
        SmallWorld({"partition.kind=column", "partition.column=school", "clients=" + clients}));
    INFO(TextOf(examples.status()));
    REQUIRE(examples.ok());
    return std::pair(examples->clients, examples->owners);
  };
  using Owners = std::vector<std::uint32_t>;
  REQUIRE(owners("100") == std::pair(4U, Owners{1, 2, 0, 1, 3}));  // east, north, south, west
  REQUIRE(owners("2") == std::pair(2U, Owners{0, 1, 0, 0, 1}));
  const auto wrong =
      LoadExamples({.data = client, .test = "", .test_fraction = 0}, job.config.model(),
                   SmallWorld({"partition.kind=column", "partition.column=scool", "clients=4"}));
  REQUIRE(TextOf(wrong.status()).find("has no column \"scool\"") != std::string::npos);
}

}  // namespace tutti::simulate

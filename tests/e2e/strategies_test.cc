// Every strategy with real processes on a small problem: it runs to the end, learns, and keeps what
// it has to keep.
#include <cmath>
#include <filesystem>
#include <limits>

#include "tests/catch.h"
#include "tests/e2e/weights.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

using Settings = std::vector<std::string>;

Settings Plain(Settings more) {
  Settings settings = {"rounds=3", "privacy.unit=none", "privacy.noise_multiplier=0.0"};
  settings.insert(settings.end(), more.begin(), more.end());
  return settings;
}

Weights Exported(World& world, const std::string& job, const std::string& round) {
  const std::string file = world.folder() / (job + "-" + round + ".safetensors");
  const Ran ran = world.Tutti({"model", "export", job, "--round", round, "-o", file});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 0);
  return WeightsFrom(ReadWithPython(file).at("tensors"));
}

// Every value of a and b through f.
template <typename F>
Weights Combine(const Weights& a, const Weights& b, F f) {
  Weights out;
  for (std::size_t i = 0; i < out.weight.size(); ++i) {
    for (std::size_t j = 0; j < out.weight[i].size(); ++j) {
      out.weight[i][j] = f(a.weight[i][j], b.weight[i][j]);
    }
    out.bias[i] = f(a.bias[i], b.bias[i]);
  }
  return out;
}

}  // namespace

TEST_CASE("every strategy's job runs to the end and learns", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Enrol("judge", {.role = "evaluator", .data_file = "test.csv"});
  world.StartClient("judge");
  world.AwaitAttached("judge");
  struct Row {
    std::string name;
    Settings settings;
  };
  const Settings adaptive = {"server.learning_rate=0.3", "server.momentum=0.5"};
  const auto with = [&](const std::string& optimiser) {
    Settings settings = adaptive;
    settings.push_back("server.optimiser=" + optimiser);
    return Plain(settings);
  };
  for (const Row& row : std::vector<Row>{
           {"fedavgm", Plain({"server.momentum=0.5"})},
           {"fedprox", Plain({"training.proximal=0.1"})},
           {"fedadam", with("fedadam")},
           {"fedyogi", with("fedyogi")},
           {"fedadagrad", with("fedadagrad")},
           {"scaffold", Plain({"training.correction=scaffold"})},
           {"scaffold-private", {"rounds=3", "training.correction=scaffold"}},
           {"nova", Plain({"training.correction=nova", "training.local_steps=0",
                           "training.local_epochs=2"})},
           {"fair", Plain({"training.fairness_power=1.0"})},
           {"hardened", Plain({"adversary.kind=pgd", "adversary.radius=0.1", "adversary.steps=3"})},
           {"hardened-private", {"rounds=3", "adversary.kind=fgsm", "adversary.radius=0.1"}},
           {"agnostic", Plain({"training.agnostic_rate=0.1"})},
           {"ditto", Plain({"training.correction=ditto", "training.proximal=0.1"})},
           {"compressed",
            Plain({"secure_aggregation.sampled_fraction=0.5", "secure_aggregation.rotate=true"})},
           {"compressed-private", {"rounds=3", "secure_aggregation.sampled_fraction=0.5"}},
           {"weighted", Plain({"training.class_weights=[1.0, 2.0, 0.5]"})},
           {"cosine", Plain({"training.schedule=cosine", "training.final_learning_rate=0.05"})},
       }) {
    INFO(row.name);
    world.Submit(row.name, row.settings);
    world.AwaitDone(row.name);
    REQUIRE(WaitUntil([&] { return world.Job(row.name).rounds(2).accuracy() >= 0; }));
    const v1::JobReply reply = world.Job(row.name);
    REQUIRE(NumberedWithoutGap(reply, 3));
    for (const v1::RoundInfo& round : reply.rounds()) REQUIRE(round.survivors() == 4);
    REQUIRE(reply.job().accuracy() > 0.6);
  }
  namespace fs = std::filesystem;
  REQUIRE(fs::exists(world.ClientState("client-0") + "/jobs/scaffold.control.safetensors"));
  REQUIRE(fs::exists(world.ClientState("client-3") + "/jobs/ditto.personal.safetensors"));
  REQUIRE(fs::exists(world.ClientState("client-1") + "/jobs/agnostic.mixture.safetensors"));
  REQUIRE_FALSE(fs::exists(world.ClientState("client-0") + "/jobs/fedprox.control.safetensors"));
}

TEST_CASE("a server optimiser's state survives kill -9, and the steps are the paper's", "[e2e]") {
  World world;
  world.StartServer();
  const std::vector<Table> tables = world.StartTrainersWithTables({60, 90, 120, 150}, 100);
  WriteText(world.folder() / "first.safetensors", SafetensorsOf({}));
  world.Submit(
      "yogi",
      {"rounds=2", "privacy.unit=none", "privacy.noise_multiplier=0.0", "training.batch_size=1000",
       "training.local_steps=1", "server.optimiser=fedyogi", "server.learning_rate=0.1",
       "server.momentum=0.5", "server.second_moment_decay=0.9", "server.adaptivity=0.01",
       "secure_aggregation.value_clip=1.0", "warm_start=" + world.folder() / "first.safetensors"});
  world.AwaitRounds("yogi", 1);
  world.server().Kill();
  world.StartServer();
  world.AwaitDone("yogi");

  Weights model, mean, square;
  square = Combine(square, square, [](double, double) { return 1e-4; });
  for (int round = 1; round <= 2; ++round) {
    std::vector<Weights> trained;
    for (const Table& table : tables) trained.push_back(Step(model, table, 0.5));
    const Weights update =
        Combine(Mean(trained), model, [](double to, double from) { return to - from; });
    mean = Combine(mean, update, [](double m, double d) { return 0.5 * m + 0.5 * d; });
    square = Combine(square, update,
                     [](double v, double d) { return v - 0.1 * d * d * (v > d * d ? 1 : -1); });
    const Weights step =
        Combine(mean, square, [](double m, double v) { return 0.1 * m / (std::sqrt(v) + 0.01); });
    model = Combine(model, step, [](double w, double s) { return w + s; });
    INFO("round " << round);
    REQUIRE(LargestDifference(Exported(world, "yogi", std::to_string(round)), model) < 1e-3);
  }
}

TEST_CASE("a model that got much worse is dropped, and training goes on from the best one",
          "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Enrol("judge", {.role = "evaluator", .data_file = "test.csv"});
  world.StartClient("judge");
  world.AwaitAttached("judge");
  // So that the judge keeps pace: its trainer is there already.
  world.Submit("first", Plain({"rounds=1"}));
  world.AwaitDone("first");
  REQUIRE(WaitUntil([&] { return world.Job("first").rounds(0).accuracy() >= 0; }));
  // The first rounds learn; the steps grow until they spoil the model, again and again.
  world.Submit(
      "worse",
      Plain({"rounds=40", "training.learning_rate=0.5", "training.schedule=exponential",
             "training.final_learning_rate=1000.0", "secure_aggregation.value_clip=100000.0",
             "evaluation.max_loss_increase=2.0"}));
  world.AwaitDone("worse");
  const v1::JobReply reply = world.Job("worse");
  REQUIRE(NumberedWithoutGap(reply, 40));
  REQUIRE(ReadText(world.LogOf("server")).find("model dropped") != std::string::npos);
  REQUIRE(world.LedgerVerifies("client-0"));
  REQUIRE(world.ClientStatus("client-0").at("ledger_entries").get<int>() >= 41);
}

TEST_CASE("a job ends early, and its best model is the one that is kept", "[e2e]") {
  World world;
  world.StartServer({{"TUTTI_LIMITS__KEEP_MODELS", "2"}});
  world.StartTrainers(4);
  world.Enrol("judge", {.role = "evaluator", .data_file = "test.csv"});
  world.StartClient("judge");
  world.AwaitAttached("judge");
  // Steps far too large: the loss swings and does not settle.
  world.Submit("early", Plain({"rounds=200", "training.learning_rate=40.0",
                               "secure_aggregation.value_clip=1000.0", "evaluation.patience=4"}));
  world.AwaitDone("early");
  const v1::JobReply reply = world.Job("early");
  INFO(reply.job().reason());
  REQUIRE(reply.job().reason().find("ended early") == 0);
  REQUIRE(reply.rounds_size() < 200);
  std::uint64_t best = 0;
  double least = 1e300;
  for (const v1::RoundInfo& round : reply.rounds()) {
    if (round.accuracy() >= 0 && round.loss() < least) {
      least = round.loss();
      best = round.round();
    }
  }
  const std::string file = world.folder() / "best.safetensors";
  const Json exported =
      world.TuttiJson({"model", "export", "early", "--round", "best", "-o", file, "--json"});
  REQUIRE(exported.dump().find("\"round\":" + std::to_string(best)) != std::string::npos);
}

TEST_CASE("clusters move as Lloyd's step on the rows of all clients moves them", "[e2e]") {
  World world;
  world.StartServer();
  const std::vector<Table> tables = world.StartTrainersWithTables({60, 100, 140}, 900);
  world.Submit("kinds",
               Plain({"cohort.size=3", "cohort.min_clients=3", "model.architecture=kmeans",
                      "model.classes=3", "training.loss=distortion", "training.learning_rate=1.0",
                      "training.local_steps=1", "training.batch_size=1000",
                      "secure_aggregation.weighting=examples", "secure_aggregation.value_bits=30",
                      "secure_aggregation.value_clip=20.0"}));
  world.AwaitDone("kinds");
  REQUIRE(NumberedWithoutGap(world.Job("kinds"), 3));
  const auto centres_of = [&](const std::string& round) {
    const std::string file = world.folder() / ("kinds-" + round + ".safetensors");
    REQUIRE(world.Tutti({"model", "export", "kinds", "--round", round, "-o", file}).exit_code == 0);
    return ReadWithPython(file).at("tensors").at("0.centres").at("values");
  };
  const std::vector<double> before = centres_of("2"), after = centres_of("3");
  REQUIRE(before.size() == 12);
  std::vector<double> sums(12);
  std::vector<double> counts(3);
  for (const Table& table : tables) {
    for (const std::array<double, 4>& row : table.features) {
      std::size_t nearest = 0;
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t c = 0; c < 3; ++c) {
        double distance = 0;
        for (std::size_t f = 0; f < 4; ++f) distance += std::pow(row[f] - before[4 * c + f], 2);
        if (distance < least) least = distance, nearest = c;
      }
      ++counts[nearest];
      for (std::size_t f = 0; f < 4; ++f) sums[4 * nearest + f] += row[f];
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t f = 0; f < 4; ++f) {
      const double wanted = counts[c] > 0 ? sums[4 * c + f] / counts[c] : before[4 * c + f];
      REQUIRE(after[4 * c + f] == Approx(wanted).margin(1e-4));
    }
  }
}

}  // namespace tutti::e2e

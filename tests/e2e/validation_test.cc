// Training whose clients measure the model (evaluation.by = "clients"), with real processes: the
// sum is what all clients' examples say, and the job goes by it.
#include <algorithm>
#include <cmath>

#include "tests/catch.h"
#include "tests/e2e/weights.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

// Clients with tables of different sizes, which they train on and measure with.
std::vector<Table> StartClients(World& world) {
  return world.StartTrainersWithTables({80, 120, 160}, 700);
}

std::vector<std::string> ByClients(const std::vector<std::string>& more) {
  std::vector<std::string> sets{"cohort.size=3", "cohort.min_clients=3", "evaluation.by=clients"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

Weights ModelOf(World& world, const std::string& job, const std::string& round) {
  const std::string file = world.folder() / (job + "-" + round + ".safetensors");
  REQUIRE(world.Tutti({"model", "export", job, "--round", round, "-o", file}).exit_code == 0);
  return WeightsFrom(ReadWithPython(file).at("tensors"));
}

struct Score {
  double examples = 0, right = 0, loss = 0;  // each loss at most 2 ln 3, in hundredths
};
Score Measure(const Weights& model, const std::vector<Table>& tables) {
  Score score;
  for (const Table& table : tables) {
    for (std::size_t i = 0; i < table.labels.size(); ++i) {
      std::array<double, 3> logit{};
      double sum = 0;
      for (std::size_t c = 0; c < 3; ++c) {
        logit[c] = model.bias[c];
        for (std::size_t f = 0; f < 4; ++f) {
          logit[c] += model.weight[c][f] * table.features[i][f];
        }
        sum += std::exp(logit[c]);
      }
      const auto label = static_cast<std::size_t>(table.labels[i]);
      score.loss += std::min(std::log(sum) - logit[label], 2.19);
      score.right += std::max_element(logit.begin(), logit.end()) - logit.begin() ==
                             static_cast<std::ptrdiff_t>(label)
                         ? 1
                         : 0;
      ++score.examples;
    }
  }
  return score;
}

}  // namespace

TEST_CASE("clients measure each round's model together, also across kill -9 of the coordinator",
          "[e2e]") {
  World world;
  world.StartServer();
  const std::vector<Table> tables = StartClients(world);
  world.Submit("measured",
               ByClients({"rounds=3", "privacy.unit=none", "privacy.noise_multiplier=0.0"}));
  world.AwaitRounds("measured", 2);
  world.server().Kill();
  world.StartServer();
  world.AwaitDone("measured");
  const v1::JobReply reply = world.Job("measured");
  REQUIRE(NumberedWithoutGap(reply, 3));
  for (int round = 1; round <= 2; ++round) {
    const Score wanted = Measure(ModelOf(world, "measured", std::to_string(round)), tables);
    const v1::RoundInfo& found = reply.rounds(round - 1);
    REQUIRE(found.accuracy() == Approx(wanted.right / wanted.examples).epsilon(1e-9));
    REQUIRE(found.loss() == Approx(wanted.loss / wanted.examples).margin(2e-4));
  }
  REQUIRE(reply.rounds(2).accuracy() < 0);  // no round began with the last model
  const Json report = world.TuttiJson({"job", "report", "measured", "--round", "3", "--json"});
  INFO(report.dump());
  const Json& validation = report.at("figures").at("validation");
  REQUIRE(validation.at("examples").at("value") == 80 + 120 + 160);
  REQUIRE(validation.at("accuracy").at("value").get<double>() ==
          Approx(reply.rounds(1).accuracy()));
  REQUIRE(validation.at("clients").at("lowest").at(0) <= validation.at("accuracy").at("value"));
}

TEST_CASE("a job ends early by what its clients counted, and names the best model", "[e2e]") {
  World world;
  world.StartServer();
  StartClients(world);
  // Too small a rate to make any difference that a sum in hundredths would show.
  world.Submit("early", ByClients({"rounds=9", "privacy.unit=none", "privacy.noise_multiplier=0.0",
                                   "training.learning_rate=0.000000001", "evaluation.patience=2"}));
  world.AwaitDone("early");
  const v1::JobReply reply = world.Job("early");
  REQUIRE(reply.rounds_size() < 9);
  REQUIRE(reply.job().reason().find("ended early: 2 evaluations") != std::string::npos);
  const std::string file = world.folder() / "best.safetensors";
  const Ran ran = world.Tutti({"model", "export", "early", "--round", "best", "-o", file});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 0);
  REQUIRE(ReadWithPython(file).at("metadata").at("round") == "1");
}

TEST_CASE("with privacy the answers are noisy, debited, and steer the learning rate", "[e2e]") {
  World world;
  world.StartServer();
  StartClients(world);
  world.Submit("steered",
               ByClients({"rounds=4", "privacy.unit=example", "privacy.noise=distributed",
                          "privacy.noise_multiplier=2.0", "training.local_steps=1",
                          "privacy.sampling_rate=0.2", "privacy.counts_noise_multiplier=2.0",
                          "training.schedule=plateau", "training.plateau_rounds=1",
                          "training.plateau_factor=0.5", "training.learning_rate=0.000001"}));
  world.AwaitDone("steered");
  const std::string file = world.folder() / "steered.safetensors";
  REQUIRE(world.Tutti({"model", "export", "steered", "-o", file}).exit_code == 0);
  const Json metadata = ReadWithPython(file).at("metadata");
  INFO(metadata.dump());
  REQUIRE(metadata.contains("counts"));
  const double factor = std::stod(metadata.at("learning_rate_factor").get<std::string>());
  REQUIRE(factor <= 1);
  REQUIRE(factor >= 0.125);
  REQUIRE(world.LedgerVerifies("client-0"));
  // In each round the update and the counts beside it.
  REQUIRE(world.ClientStatus("client-0").at("ledger_entries") == 8);
}

}  // namespace tutti::e2e

// Each way to protect a job, with real processes: what the operator, the device's ledger and the
// published model say of it.
#include <cmath>

#include "tests/catch.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

constexpr const char* kTrusting =
    "max_epsilon_total = 1000.0\n"
    "min_cohort = 3\n"
    "max_clip_norm = 10.0\n"
    "noise = [\"local\", \"distributed\", \"central\", \"tree\"]\n";

std::vector<std::string> Settings(const std::string& unit, const std::string& noise) {
  std::vector<std::string> settings = {
      "rounds=3",
      "privacy.unit=" + unit,
      "privacy.noise=" + noise,
      "privacy.noise_multiplier=2.0",
      "privacy.target_epsilon=0.0",
      "secure_aggregation.value_clip=" + std::string(unit == "example" ? "16.0" : "1.0")};
  if (unit == "example") {
    settings.insert(settings.end(), {"privacy.sampling_rate=0.25", "training.local_steps=1"});
  }
  return settings;
}

// The job's newest round, after checking that all three have every client.
v1::RoundInfo LastRound(World& world, const std::string& job) {
  const v1::JobReply reply = world.Job(job);
  REQUIRE(reply.rounds_size() == 3);
  for (const v1::RoundInfo& round : reply.rounds()) REQUIRE(round.survivors() == 4);
  return reply.rounds(2);
}

}  // namespace

TEST_CASE("jobs with noise in the sum run, and tell both epsilons, promised and realised",
          "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4, {.policy = kTrusting});
  struct Row {
    std::string name, unit, noise, mechanism;
    bool trusted;
  };
  for (const Row& row : std::vector<Row>{
           {"a", "example", "distributed", "dp-sgd/poisson/distributed-discrete-gaussian", false},
           {"b", "client", "distributed", "client/distributed-discrete-gaussian", false},
           {"c", "client", "local", "client/local-discrete-gaussian", false},
           {"d", "client", "central", "client/central-gaussian", true},
           {"e", "client", "tree", "client/tree-aggregation", true}}) {
    INFO(row.mechanism);
    world.Submit(row.name, Settings(row.unit, row.noise));
    world.AwaitDone(row.name);
    const v1::RoundInfo round = LastRound(world, row.name);
    REQUIRE(round.mechanism() == row.mechanism);
    REQUIRE(round.privacy_unit() == row.unit);
    REQUIRE(world.Job(row.name).job().assumption().size() > 20);
    // Four clients came where three are counted on: what came true is less than the promise, but
    // for noise that does not depend on them.
    REQUIRE(round.realised_epsilon_models() > 0);
    REQUIRE(std::isfinite(round.realised_epsilon_models()));
    REQUIRE(std::isinf(round.realised_epsilon()) == row.trusted);
    if (row.trusted) {
      REQUIRE(round.max_epsilon() == 1e9);
    } else {
      REQUIRE(round.realised_epsilon() <= round.max_epsilon());
    }
  }
  // Two units stand in the books: the examples', which counts everything, and the clients'.
  const Json status = world.ClientStatus("client-0");
  REQUIRE(status.at("data").size() == 2);
  REQUIRE(status.at("data").at(0).at("unit") == "example");
  REQUIRE(status.at("data").at(0).at("rounds") == 15);
  REQUIRE(status.at("data").at(1).at("unit") == "client");
  REQUIRE(status.at("data").at(1).at("rounds") == 12);
  REQUIRE(status.at("data").at(1).at("epsilon_spent").is_null());  // no promise: infinite
  REQUIRE(status.at("data").at(1).at("epsilon_models").get<double>() > 0);
  REQUIRE(world.LedgerVerifies("client-0"));
}

TEST_CASE("the clip norm of a job moves to its quantile and travels with the model", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4, {.policy = kTrusting});
  std::vector<std::string> settings = Settings("client", "distributed");
  settings.insert(settings.end(), {"privacy.clip_norm=9.0", "privacy.target_quantile=0.5",
                                   "privacy.clip_learning_rate=1.0"});
  world.Submit("adaptive", settings);
  world.AwaitDone("adaptive");
  LastRound(world, "adaptive");
  const std::string file = world.folder() / "adaptive.safetensors";
  REQUIRE(world.Tutti({"model", "export", "adaptive", "-o", file}).exit_code == 0);
  const std::string model = ReadText(file);
  const std::size_t key = model.find("\"clip_norm\":\"");
  REQUIRE(key != std::string::npos);
  // Updates are far shorter than 9, so the bound falls, by at most a factor of e^0.5 a round.
  const double clip_norm = std::stod(model.substr(key + 13));
  REQUIRE(clip_norm < 9.0);
  REQUIRE(clip_norm > 9.0 * std::exp(-1.5) * 0.99);
}

TEST_CASE("a device whose owner does not trust the coordinator's noise sits out", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Submit("central", Settings("client", "central"));
  REQUIRE(WaitUntil([&] { return world.Job("central").job().state() == "failed"; }));
  const std::string reason = world.Job("central").job().reason();
  INFO(reason);
  REQUIRE(reason.find("privacy.noise is \"central\"") != std::string::npos);
  REQUIRE(world.ClientStatus("client-0").at("ledger_entries") == 0);
}

}  // namespace tutti::e2e

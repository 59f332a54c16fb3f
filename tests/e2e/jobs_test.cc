// What an operator sees of jobs: from start to end, exact, stopped, resumed, watched, exported.
#include <sstream>

#include "tests/catch.h"
#include "tests/e2e/weights.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

void StartEvaluator(World& world) {
  world.Enrol("judge", {.role = "evaluator", .data_file = "test.csv"});
  world.StartClient("judge");
  world.AwaitAttached("judge");
}

// Four trainers whose tables are known one by one.
std::vector<Table> StartTrainersWithOwnTables(World& world, const std::string& victim_failpoint) {
  const Environment environment =
      victim_failpoint.empty() ? Environment{} : Environment{{"TUTTI_FAILPOINT", victim_failpoint}};
  return world.StartTrainersWithTables({60, 90, 120, 150}, 100, environment);
}

// One whole-batch step a round without noise: everybody can say what the sum has to be.
std::vector<std::string> PlainJob(const World& world, const std::string& rounds) {
  return {"rounds=" + rounds,
          "privacy.unit=none",
          "privacy.noise_multiplier=0.0",
          "training.batch_size=1000",
          "training.local_steps=1",
          "secure_aggregation.value_clip=1.0",
          "warm_start=" + world.folder() / "first.safetensors"};
}

Weights ExportedWeights(World& world, const std::string& job, const std::string& round) {
  const std::string file = world.folder() / (job + "-" + round + ".safetensors");
  const Ran ran = world.Tutti({"model", "export", job, "--round", round, "-o", file});
  INFO(ran.error);
  REQUIRE(ran.exit_code == 0);
  return WeightsFrom(ReadWithPython(file).at("tensors"));
}

}  // namespace

TEST_CASE("a private job ends with a model, its accuracy and every ledger within its budget",
          "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  StartEvaluator(world);
  world.Submit("private", {"rounds=3"});
  world.AwaitDone("private");
  REQUIRE(WaitUntil([&] { return world.Job("private").rounds(2).accuracy() >= 0; }));

  const v1::JobReply reply = world.Job("private");
  REQUIRE(NumberedWithoutGap(reply, 3));
  double epsilon = 0;
  for (const v1::RoundInfo& round : reply.rounds()) {
    INFO("round " << round.round());
    REQUIRE(round.survivors() == 4);
    REQUIRE(round.dropped() == 0);
    REQUIRE(round.privacy_unit() == "example");
    REQUIRE(round.accountant() == "rdp");
    REQUIRE(round.max_epsilon() > epsilon);  // every round costs something
    REQUIRE(round.sum_sha256().size() == 32);
    epsilon = round.max_epsilon();
  }
  // Guessing is right in one of three; three rounds of four steps learn these classes well.
  REQUIRE(reply.job().accuracy() > 0.6);

  for (int i = 0; i < 4; ++i) {
    const std::string name = "client-" + std::to_string(i);
    INFO(name);
    REQUIRE(world.LedgerVerifies(name));
    const Json status = world.ClientStatus(name);
    REQUIRE(status.at("ledger_entries") == 3);
    REQUIRE(status.at("data").at(0).at("epsilon_budget") == 50.0);
    const double spent = status.at("data").at(0).at("epsilon_spent");
    REQUIRE(spent <= 50.0);
    // All have as many examples and the same noise: what they report is what they wrote down.
    REQUIRE(spent == Approx(epsilon).epsilon(1e-6));
    REQUIRE(world.ClientInfo(name).rounds() == 3);
    REQUIRE(world.ClientInfo(name).epsilon_spent() == Approx(spent).epsilon(1e-6));
  }
}

TEST_CASE("the published model is the mean of exactly the survivors' updates", "[e2e]") {
  World world(Build::kFailpoints);
  world.StartServer();
  // The last client dies after its masks are in the others' vectors: they have to be taken out.
  const std::vector<Table> tables =
      StartTrainersWithOwnTables(world, "client.before_upload@2:kill");
  const Weights first{.weight = {{{0.1, 0, 0, 0}, {0, 0.1, 0, 0}, {0, 0, -0.1, 0}}},
                      .bias = {0.01, 0.02, 0.03}};
  WriteText(world.folder() / "first.safetensors", SafetensorsOf(first));
  world.Submit("plain", PlainJob(world, "2"));
  world.AwaitDone("plain");
  REQUIRE(world.Job("plain").rounds(0).survivors() == 4);
  REQUIRE(world.Job("plain").rounds(1).survivors() == 3);
  REQUIRE(world.Job("plain").rounds(1).dropped() == 1);

  std::vector<Weights> steps;
  for (const Table& table : tables) steps.push_back(Step(first, table, 0.5));
  const Weights after_one = ExportedWeights(world, "plain", "1");
  // A value is rounded to a multiple of 2^-19; the mean errs by at most as much, and float32
  // arithmetic by less than a millionth.
  constexpr double kTolerance = 3e-6;
  REQUIRE(LargestDifference(after_one, Mean(steps)) < kTolerance);

  steps.clear();
  for (std::size_t i = 0; i < 3; ++i) steps.push_back(Step(after_one, tables[i], 0.5));
  REQUIRE(LargestDifference(ExportedWeights(world, "plain", "2"), Mean(steps)) < kTolerance);
  REQUIRE(LargestDifference(after_one, first) > 0.01);  // it did move
}

TEST_CASE("an update longer than the job allows is shortened on its device", "[e2e]") {
  World world;
  world.StartServer();
  const std::vector<Table> tables = StartTrainersWithOwnTables(world, "");
  const Weights first{};
  WriteText(world.folder() / "first.safetensors", SafetensorsOf(first));
  constexpr double kNorm = 0.05;
  std::vector<std::string> sets = PlainJob(world, "1");
  sets.push_back("robust.max_update_norm=0.05");
  world.Submit("short", sets);
  world.AwaitDone("short");
  REQUIRE(world.Job("short").rounds(0).survivors() == 4);
  std::vector<Weights> steps;
  for (const Table& table : tables) {
    const Weights step = Step(first, table, 0.5);
    steps.push_back(WithinNorm(first, step, kNorm));
    REQUIRE(LargestDifference(steps.back(), step) > 0.01);  // it was longer
  }
  REQUIRE(LargestDifference(ExportedWeights(world, "short", "1"), Mean(steps)) < 3e-6);
  REQUIRE(Contains(world.ClientLog("client-0"), "update_scaled_down"));
}

TEST_CASE("a job is stopped, resumed, watched in a pipe, and its model read by others", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Submit("long", {"rounds=100000", "privacy.unit=none", "privacy.noise_multiplier=0.0"});
  world.AwaitRounds("long", 2);
  REQUIRE(world.Tutti({"job", "stop", "long"}).exit_code == 0);
  REQUIRE(WaitUntil([&] { return world.Job("long").job().state() == "stopped"; }));
  const std::uint64_t stopped_at = world.Job("long").job().rounds_done();

  // While it is stopped another job runs, and the stopped one stays where it is.
  const Ran watched = Run([&] {
    std::vector<std::string> argv{Program("tutti"), "--socket",
                                  world.StateFolder() + "/admin.sock"};
    for (const std::string& word : world.RunCommand("short", {"rounds=2"})) argv.push_back(word);
    argv.emplace_back("--watch");
    return argv;
  }());
  INFO(watched.out << watched.error);
  REQUIRE(watched.exit_code == 0);
  REQUIRE_FALSE(Contains(watched.out, "\x1b"));
  REQUIRE_FALSE(Contains(watched.out, "\r"));
  REQUIRE(Contains(watched.out, "round 1 of 2: 4 in, 0 dropped"));
  REQUIRE(Contains(watched.out, "round 2 of 2: 4 in, 0 dropped"));
  REQUIRE(Contains(watched.out, "job short is done"));
  REQUIRE(world.Job("long").job().rounds_done() == stopped_at);

  REQUIRE(world.Tutti({"job", "resume", "long"}).exit_code == 0);
  world.AwaitRounds("long", stopped_at + 2);
  REQUIRE(world.Tutti({"job", "stop", "long"}).exit_code == 0);
  REQUIRE(WaitUntil([&] { return world.Job("long").job().state() == "stopped"; }));
  const v1::JobReply reply = world.Job("long");
  REQUIRE(NumberedWithoutGap(reply, reply.job().rounds_done()));

  const std::string file = world.folder() / "short.safetensors";
  const Ran exported = world.Tutti({"model", "export", "short", "-o", file});
  INFO(exported.error);
  REQUIRE(exported.exit_code == 0);
  const Json tensors = ReadWithPython(file).at("tensors");
  REQUIRE(tensors.size() == 2);
  REQUIRE(tensors.at("0.weight").at("shape") == Json({3, 4}));
  REQUIRE(tensors.at("0.bias").at("shape") == Json({3}));
  REQUIRE(Json::parse(ReadText(world.folder() / "short.manifest.json")).at("job") == "short");
}

}  // namespace tutti::e2e

// What befalls clients: killed at every step, stopped, their trainer killed, started too early.
#include <csignal>

#include "tests/catch.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

constexpr const char* kVictim = "client-3";

// Places in the order a round passes them, and whether the ledger's debit is already due there.
struct Place {
  const char* failpoint;
  bool charged;
  // Messages leave on a thread of their own: while it dies the session may already have gone on to
  // the debit.
  bool maybe_charged = false;
};
constexpr Place kPlaces[] = {
    {"client.decided", false},        {"client.model_fetched", false},
    {"client.trained", false},        {"client.sent@1", false, true},  // the join
    {"client.sent@2", false, true},                                    // the shares
    {"client.before_charge", false},  {"client.charged", true},
    {"client.before_upload", true},   {"client.chunk_sent", true},
    {"client.uploaded", true},        {"client.before_answer_record", true},
    {"client.answer_recorded", true}, {"client.sent@3", true},  // the commit
    {"client.sent@4", true},                                    // the shares that open the sum
};

std::size_t LedgerEntries(World& world, const std::string& name) {
  return world.ClientStatus(name).at("ledger_entries").get<std::size_t>();
}

bool DiedByKill(Process& process) {
  const auto ended = process.Wait();
  return ended && ended->signal == SIGKILL;
}

}  // namespace

TEST_CASE("a client killed at any step is a dropout, comes back, and never spent less than left it",
          "[e2e]") {
  World world(Build::kFailpoints);
  world.StartServer();
  world.StartTrainers(4);
  std::size_t number = 0;
  for (const Place& place : kPlaces) {
    INFO(place.failpoint);
    world.client(kVictim).Kill();
    REQUIRE(WaitUntil([&] { return !world.Attached(kVictim); }));
    const std::size_t entries = LedgerEntries(world, kVictim);
    Process& victim =
        world.StartClient(kVictim, {{"TUTTI_FAILPOINT", std::string(place.failpoint) + ":kill"}});
    world.AwaitAttached(kVictim);
    const std::string job = "job-" + std::to_string(number++);
    world.Submit(job, {"rounds=2"});
    REQUIRE(DiedByKill(victim));
    world.AwaitDone(job);
    const v1::JobReply reply = world.Job(job);
    REQUIRE(NumberedWithoutGap(reply, 2));
    REQUIRE(reply.rounds(0).survivors() >= 3);
    REQUIRE(reply.rounds(0).failures() == 0);  // nobody had to try again for it
    REQUIRE(reply.rounds(1).survivors() == 3);
    REQUIRE(world.LedgerVerifies(kVictim));
    const std::size_t charged = LedgerEntries(world, kVictim) - entries;
    if (place.maybe_charged) {
      REQUIRE(charged <= 1);
    } else {
      REQUIRE(charged == (place.charged ? 1 : 0));
    }
    if (charged == 0) REQUIRE(reply.rounds(0).survivors() == 3);
    // Whatever the coordinator counted into a sum stands in the ledger.
    REQUIRE(LedgerEntries(world, kVictim) >= world.ClientInfo(kVictim).rounds());
  }
  world.client(kVictim).Kill();
  REQUIRE(WaitUntil([&] { return !world.Attached(kVictim); }));
  world.StartClient(kVictim);
  world.AwaitAttached(kVictim);
  world.Submit("last", {"rounds=1"});
  world.AwaitDone("last");
  REQUIRE(world.Job("last").rounds(0).survivors() == 4);
}

TEST_CASE("a client that dies while it joins can join again with the same token", "[e2e]") {
  World world(Build::kFailpoints);
  world.StartServer();
  const std::string token = world.Token("client-0");
  const Ran died =
      world.Join("client-0", token, {{"TUTTI_FAILPOINT", "client.join.enrolled:kill"}});
  REQUIRE(died.exit_code == -1);
  const Ran joined = world.Join("client-0", token);
  INFO(joined.error);
  REQUIRE(joined.exit_code == 0);
  world.Configure("client-0");
  world.StartClient("client-0");
  world.AwaitAttached("client-0");
}

TEST_CASE("a round ends without a client that is stopped in it", "[e2e]") {
  World world(Build::kFailpoints);
  world.StartServer();
  world.StartTrainers(4);
  world.client(kVictim).Terminate();
  REQUIRE(WaitUntil([&] { return !world.Attached(kVictim); }));
  // Stopped after its join: the others have shared keys with it and wait for its shares.
  Process& victim = world.StartClient(kVictim, {{"TUTTI_FAILPOINT", "client.sent@1:stop"}});
  world.AwaitAttached(kVictim);
  world.Submit("stopped", {"rounds=1", "deadlines.share_seconds=3.0"});
  REQUIRE(WaitUntil([&] { return StateOf(victim.pid()) == 'T'; }));
  world.AwaitDone("stopped");
  REQUIRE(world.Job("stopped").rounds(0).survivors() == 3);
  REQUIRE(LedgerEntries(world, kVictim) == 0);

  victim.Signal(SIGCONT);
  world.AwaitAttached(kVictim);
  world.Submit("woken", {"rounds=1"});
  world.AwaitDone("woken");
  REQUIRE(world.Job("woken").rounds(0).survivors() == 4);
  REQUIRE(LedgerEntries(world, kVictim) == 1);
}

TEST_CASE("a training that takes longer than its round answers a later one", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Submit("warm", {"rounds=1"});
  world.AwaitDone("warm");
  const std::vector<pid_t> trainers = ChildrenOf(world.client(kVictim).pid(), "tutti-trainer");
  REQUIRE(trainers.size() == 1);
  REQUIRE(::kill(trainers[0], SIGSTOP) == 0);
  const std::size_t entries = LedgerEntries(world, kVictim);
  const std::size_t accepted = CountOf(world.ClientLog(kVictim), "round_accepted");
  // So much noise that thousands of rounds fit into everyone's budget.
  world.Submit("late", {"rounds=5000", "privacy.noise_multiplier=50.0", "cohort.size=3",
                        "cohort.over_selection=1.3", "training.max_staleness=1000"});
  REQUIRE(
      WaitUntil([&] { return CountOf(world.ClientLog(kVictim), "round_accepted") > accepted; }));
  // The other three go on without it.
  world.AwaitRounds("late", world.Job("late").job().rounds_done() + 3);
  REQUIRE(LedgerEntries(world, kVictim) == entries);
  REQUIRE(::kill(trainers[0], SIGCONT) == 0);
  REQUIRE(WaitUntil([&] { return LedgerEntries(world, kVictim) > entries; }));
  const std::string log = world.ClientLog(kVictim);
  REQUIRE(Contains(log, "late_update"));
  REQUIRE(ChildrenOf(world.client(kVictim).pid(), "tutti-trainer") == trainers);
  REQUIRE(world.Tutti({"job", "stop", "late"}).exit_code == 0);
}

TEST_CASE("a trainer killed while it trains costs one round, not the daemon", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Submit("warm", {"rounds=1"});
  world.AwaitDone("warm");
  const std::vector<pid_t> trainers = ChildrenOf(world.client(kVictim).pid(), "tutti-trainer");
  REQUIRE(trainers.size() == 1);
  // Stopped, so that it is certainly still at the task when it is killed.
  REQUIRE(::kill(trainers[0], SIGSTOP) == 0);
  const auto trained = [&world](int i) {
    return CountOf(world.ClientLog("client-" + std::to_string(i)), "trained") -
           CountOf(world.ClientLog("client-" + std::to_string(i)), "training_failed");
  };
  const std::size_t before[] = {trained(0), trained(1), trained(2)};
  const std::size_t accepted = CountOf(world.ClientLog(kVictim), "round_accepted");
  world.Submit("hurt", {"rounds=1"});
  REQUIRE(WaitUntil([&] {
    return trained(0) > before[0] && trained(1) > before[1] && trained(2) > before[2] &&
           CountOf(world.ClientLog(kVictim), "round_accepted") > accepted;
  }));
  REQUIRE(::kill(trainers[0], SIGKILL) == 0);
  world.AwaitDone("hurt");
  const v1::JobReply reply = world.Job("hurt");
  REQUIRE(reply.rounds(0).survivors() == 3);
  REQUIRE(reply.rounds(0).refusals_size() == 1);
  INFO(reply.rounds(0).refusals(0));
  REQUIRE(Contains(reply.rounds(0).refusals(0), "TRAINER_FAILED"));
  REQUIRE(world.client(kVictim).Running());
  const std::string log = world.ClientLog(kVictim);
  REQUIRE(CountOf(log, "training_failed") == 1);
  REQUIRE(Contains(log, "signal 9"));

  world.Submit("healed", {"rounds=1"});
  world.AwaitDone("healed");
  REQUIRE(world.Job("healed").rounds(0).survivors() == 4);
}

TEST_CASE("a connection cut in the middle of an upload costs only the chunk under way", "[e2e]") {
  World world(Build::kProduct, "", 60);
  world.StartServer();
  world.StartTrainers(3);
  const std::string detour = "127.0.0.1:" + std::to_string(FreePorts(1)[0]);
  Process cutter({"python3", std::string(TUTTI_TEST_DATA) + "/e2e/cut_connection.py", detour,
                  world.address(), "700000", world.folder() / "cut.txt"},
                 world.LogOf("cutter"));
  world.Enrol(kVictim, {.extra = "server = \"" + detour + "\""});
  world.StartClient(kVictim);
  world.AwaitAttached(kVictim);
  // 320,003 values of 24 bits: 960,009 bytes in four chunks.
  world.Submit("cut", {"rounds=1", "model.architecture=mlp", "model.hidden=[40000]",
                       "cohort.min_clients=4"});
  world.AwaitDone("cut");
  INFO(world.ClientLog(kVictim));
  REQUIRE(Contains(ReadText(world.folder() / "cut.txt"), "cut after"));
  REQUIRE(world.Job("cut").rounds(0).survivors() == 4);
  const std::string log = world.ClientLog(kVictim);
  REQUIRE(CountOf(log, "upload_resumed") == 1);
  REQUIRE_FALSE(Contains(log, "byte=0 "));
}

TEST_CASE("a client started before its coordinator waits for it", "[e2e]") {
  World world;
  world.StartServer();
  world.Enrol("client-0");
  REQUIRE(world.server().Terminate().exit_code == 0);
  Process& client = world.StartClient("client-0");
  REQUIRE(WaitUntil([&] { return Contains(world.ClientLog("client-0"), "started"); }));
  REQUIRE_FALSE(world.ServerAnswers());
  REQUIRE(client.Running());
  world.StartServer();
  world.AwaitAttached("client-0");
  REQUIRE(client.Running());
  REQUIRE(client.Terminate().exit_code == 0);
}

TEST_CASE("two processes never write one ledger, nor one coordinator's store", "[e2e]") {
  World world;
  world.StartServer();
  world.Enrol("client-0");
  world.StartClient("client-0");
  world.AwaitAttached("client-0");
  const Ran second =
      Run({world.ClientProgram(), "run", "--config", world.ClientConfig("client-0")});
  INFO(second.out << second.error);
  REQUIRE(second.exit_code != 0);
  REQUIRE(second.exit_code != -1);
  REQUIRE(Contains(second.out + second.error, world.ClientState("client-0")));
  REQUIRE(world.client("client-0").Running());

  const std::vector<int> ports = FreePorts(2);
  const Ran server = Run({world.ServerProgram(), "run", "--config", world.ServerConfig(), "--set",
                          "address=127.0.0.1:" + std::to_string(ports[0]), "--set",
                          "enrolment_address=127.0.0.1:" + std::to_string(ports[1])});
  INFO(server.out << server.error);
  REQUIRE(server.exit_code != 0);
  REQUIRE(server.exit_code != -1);
  REQUIRE(Contains(server.out + server.error, world.StateFolder()));
  REQUIRE(world.ServerAnswers());
  REQUIRE(world.Attached("client-0"));
}

}  // namespace tutti::e2e

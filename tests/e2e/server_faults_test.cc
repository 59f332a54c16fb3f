// What befalls the coordinator: killed at every step of a round, and a disk that is full.
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "tests/catch.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

// With four clients: notices 1 to 4 welcome them, 5 to 8 are the offers, 9 to 12 the rosters;
// replies 1 to 4 answer the joins, 5 to 8 the shares, 9 to 12 the commits and 13 to 16 the shares
// that open the sum.
constexpr const char* kPlaces[] = {
    "server.notified@5",          // one offer is out
    "server.notified@8",          // all are
    "server.replied@2",           // two joins are in
    "server.notified@9",          // one client has the roster
    "server.replied@5",           // one client's shares are in
    "server.accumulated@1",       // one vector is in the sum
    "server.accumulated@4",       // all are
    "server.before_survivors",    // the survivor set is fixed, not yet durable
    "server.survivors_stored",    // durable, nobody told
    "server.replied@9",           // one commit is in
    "server.replied@13",          // one client's shares for opening are in
    "server.before_publish",      // the sum can be opened
    "server.checkpoint_written",  // the file is there, the database does not know of it
    "server.round_stored",        // published, nobody told
    "server.announced",           // the core has gone on
};

std::vector<std::string> Models(World& world, const std::string& job) {
  std::vector<std::string> rounds;
  const Json reply = world.TuttiJson({"model", "list", job});
  for (const Json& model : reply.at("models")) {
    rounds.push_back(std::to_string(model.at("round").get<int>()));
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds;
}

// Clients try again sooner after a stream that held for two seconds (client/rpc/grpc_link.cc); one
// that breaks at once over and over they leave alone for longer and longer.
void AwaitGoodStreams() {
  const auto start = std::chrono::steady_clock::now();
  WaitUntil(
      [&] { return std::chrono::steady_clock::now() - start > std::chrono::milliseconds(2200); });
}

}  // namespace

TEST_CASE("a coordinator killed at any step goes on by itself from the last published round",
          "[e2e]") {
  World world(Build::kFailpoints);
  world.StartServer();
  world.StartTrainers(4);
  std::size_t number = 0;
  for (const char* place : kPlaces) {
    INFO(place);
    REQUIRE(world.server().Terminate().exit_code == 0);
    world.StartServer({{"TUTTI_FAILPOINT", std::string(place) + ":kill"}});
    for (int i = 0; i < 4; ++i) world.AwaitAttached("client-" + std::to_string(i));
    AwaitGoodStreams();
    const std::string job = "job-" + std::to_string(number++);
    world.Tutti(world.RunCommand(job, {"rounds=2"}));
    const auto ended = world.server().Wait();
    REQUIRE(ended);
    REQUIRE(ended->signal == SIGKILL);

    world.StartServer();
    world.AwaitDone(job);
    const v1::JobReply reply = world.Job(job);
    REQUIRE(NumberedWithoutGap(reply, 2));
    REQUIRE(Models(world, job) == std::vector<std::string>{"0", "1", "2"});
    for (const v1::RoundInfo& round : reply.rounds()) REQUIRE(round.survivors() >= 3);
  }
  for (int i = 0; i < 4; ++i) {
    const std::string name = "client-" + std::to_string(i);
    INFO(name);
    REQUIRE(world.client(name).Running());
    REQUIRE(world.LedgerVerifies(name));
    // What a lost round cost stays paid; what was published was paid.
    const std::uint64_t entries = world.ClientStatus(name).at("ledger_entries");
    REQUIRE(entries >= world.ClientInfo(name).rounds());
    REQUIRE(entries <= 4 * std::size(kPlaces));
  }
}

TEST_CASE("a coordinator killed while it enrols or takes a job loses neither", "[e2e]") {
  World world(Build::kFailpoints);
  world.StartServer({{"TUTTI_FAILPOINT", "server.client_stored:kill"}});
  const std::string token = world.Token("client-0");
  REQUIRE(world.Join("client-0", token).exit_code != 0);
  REQUIRE(world.server().Wait());
  world.StartServer({{"TUTTI_FAILPOINT", "server.first_checkpoint_written:kill"}});
  const Ran joined = world.Join("client-0", token);
  INFO(joined.error);
  REQUIRE(joined.exit_code == 0);

  REQUIRE(world.Tutti(world.RunCommand("trial", {})).exit_code == 69);
  REQUIRE(world.server().Wait());
  world.StartServer();
  REQUIRE(world.TuttiJson({"job", "list"}).at("jobs").empty());
  world.Submit("trial");
  REQUIRE(world.Job("trial").job().state() == "running");
}

TEST_CASE("a full disk fails the round with a reason, not the coordinator", "[e2e]") {
  World world;
  // The log goes through a pipe: it shall tell of the full disk, not feel it.
  REQUIRE(::mkfifo(world.LogOf("server").c_str(), 0600) == 0);
  const std::string log = world.folder() / "server.txt";
  Process reader({"sh", "-c", "exec cat '" + world.LogOf("server") + "'"}, log);
  world.StartServer();
  world.StartTrainers(4);
  world.Submit("before", {"rounds=1"});
  world.AwaitDone("before");

  // No file of this process may grow beyond what the database needs already: the same errors as on
  // a full disk (the signal that could come with it is ignored by the harness).
  rlimit old{};
  REQUIRE(::prlimit(world.server().pid(), RLIMIT_FSIZE, nullptr, &old) == 0);
  rlimit tight = old;
  tight.rlim_cur = 4096;
  world.Submit("during", {"rounds=100000", "privacy.unit=none", "privacy.noise_multiplier=0.0"});
  world.AwaitRounds("during", 1);
  REQUIRE(::prlimit(world.server().pid(), RLIMIT_FSIZE, &tight, nullptr) == 0);
  REQUIRE(WaitUntil([&] {
    const std::string text = ReadText(log);
    return Contains(text, "could not be stored") || Contains(text, "could not be published");
  }));
  REQUIRE(world.server().Running());
  REQUIRE(world.ServerAnswers());

  REQUIRE(::prlimit(world.server().pid(), RLIMIT_FSIZE, &old, nullptr) == 0);
  world.AwaitRounds("during", world.Job("during").job().rounds_done() + 2);
  REQUIRE(world.Tutti({"job", "stop", "during"}).exit_code == 0);
  const v1::JobReply reply = world.Job("during");
  REQUIRE(NumberedWithoutGap(reply, reply.job().rounds_done()));
  world.Submit("after", {"rounds=1"});
  world.AwaitDone("after");
  REQUIRE(NumberedWithoutGap(world.Job("after"), 1));
  REQUIRE(world.server().Terminate().exit_code == 0);
}

}  // namespace tutti::e2e

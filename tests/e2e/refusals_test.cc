// The device decides: policy, budget and data that keep a client out of a round, and how the
// operator hears of it.
#include "tests/catch.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

struct Refuser {
  const char* name;
  const char* policy;   // policy.toml
  const char* code;     // what the operator reads
  const char* because;  // the key it names
};

constexpr Refuser kRefusers[] = {
    {"noise-lover", "max_epsilon_total = 50.0\nmin_noise_multiplier = 4.0\n", "POLICY",
     "min_noise_multiplier"},
    {"crowd-lover", "max_epsilon_total = 50.0\nmin_cohort = 7\n", "POLICY", "min_cohort"},
    {"mlp-lover", "max_epsilon_total = 50.0\narchitectures = [\"mlp\"]\n", "POLICY",
     "architectures"},
    {"job-chooser", "max_epsilon_total = 50.0\njobs = [\"other-*\"]\n", "POLICY", "jobs"},
    {"spender", "max_epsilon_total = 0.01\n", "BUDGET_EXHAUSTED", "max_epsilon_total is 0.01"},
};

// Rounds of three willing clients and the given others.
std::vector<std::string> Invite(std::size_t others) {
  return {"cohort.size=" + std::to_string(3 + others)};
}

bool OperatorReads(World& world, const std::string& job, const std::string& client,
                   const std::string& code) {
  const Json shown = world.TuttiJson({"job", "show", job});
  for (const Json& round : shown.at("rounds")) {
    for (const Json& refusal : round.at("refusals")) {
      const std::string text = refusal;
      if (text.rfind(client + ": " + code, 0) == 0) return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE(
    "each owner's rule keeps its client out, names itself to the operator, and nothing leaves",
    "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(3);
  for (const Refuser& refuser : kRefusers) {
    world.Enrol(refuser.name, {.policy = refuser.policy});
    world.StartClient(refuser.name);
    world.AwaitAttached(refuser.name);
  }
  std::vector<std::string> sets = Invite(std::size(kRefusers));
  sets.emplace_back("rounds=1");
  world.Submit("private", sets);
  world.AwaitDone("private");
  const v1::JobReply reply = world.Job("private");
  REQUIRE(reply.rounds(0).survivors() == 3);
  REQUIRE(reply.rounds(0).declined() == std::size(kRefusers));
  for (const Refuser& refuser : kRefusers) {
    INFO(refuser.name);
    for (const std::string& line : reply.rounds(0).refusals()) UNSCOPED_INFO(line);
    REQUIRE(OperatorReads(world, "private", refuser.name, refuser.code));
    REQUIRE(world.AwaitRefusal("private", refuser.name, refuser.because));
    REQUIRE(Contains(world.ClientInfo(refuser.name).last_refusal(), refuser.code));
    REQUIRE(world.ClientInfo(refuser.name).rounds() == 0);
    REQUIRE(world.ClientStatus(refuser.name).at("ledger_entries") == 0);
    REQUIRE(Contains(world.ClientLog(refuser.name), "round_refused"));
  }

  // Without privacy nobody of these takes part: no owner said so.
  sets.insert(sets.end(), {"privacy.unit=none", "privacy.noise_multiplier=0.0"});
  world.Submit("other-open", sets);
  world.AwaitDone("other-open");
  REQUIRE(world.Job("other-open").rounds(0).survivors() == 3);
  REQUIRE(world.AwaitRefusal("other-open", "job-chooser", "allow_without_privacy"));
  REQUIRE(world.ClientStatus("job-chooser").at("ledger_entries") == 0);
}

TEST_CASE("a budget is spent to its end and not beyond", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(3);
  // Enough for some rounds, not for all.
  world.Enrol("frugal", {.policy = "max_epsilon_total = 6.0\n", .slices = 4});
  world.StartClient("frugal");
  world.AwaitAttached("frugal");
  world.Submit("long", {"rounds=30"});
  world.AwaitDone("long");
  REQUIRE(OperatorReads(world, "long", "frugal", "BUDGET_EXHAUSTED"));
  const Json status = world.ClientStatus("frugal");
  const double spent = status.at("data").at(0).at("epsilon_spent");
  REQUIRE(spent > 1.0);
  REQUIRE(spent <= 6.0);
  const std::size_t entries = status.at("ledger_entries");
  REQUIRE(entries > 0);
  REQUIRE(entries < 30);
  REQUIRE(world.ClientInfo("frugal").rounds() == entries);
  REQUIRE(world.LedgerVerifies("frugal"));

  // A restart forgets nothing.
  world.client("frugal").Kill();
  REQUIRE(WaitUntil([&] { return !world.Attached("frugal"); }));
  world.StartClient("frugal");
  world.AwaitAttached("frugal");
  world.Submit("again", {"rounds=1"});
  world.AwaitDone("again");
  REQUIRE(OperatorReads(world, "again", "frugal", "BUDGET_EXHAUSTED"));
  REQUIRE(world.ClientStatus("frugal").at("ledger_entries") == entries);
}

TEST_CASE("a client whose data cannot be read says so and sits out", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(3);
  WriteText(world.folder() / "ragged.csv", "f0,f1,f2,f3,label\n1,2,3,4,0\n1,2,3,1\n");
  WriteText(world.folder() / "label.csv", "f0,f1,f2,f3,label\n1,2,3,4,0\n1,2,3,4,3\n");
  struct Bad {
    const char* name;  // and of its file
    const char* place;
  };
  constexpr Bad kBad[] = {
      {"missing", "missing.csv"}, {"ragged", "ragged.csv:3"}, {"label", "label.csv:3"}};
  for (const Bad& bad : kBad) {
    world.Enrol(bad.name, {.data_file = std::string(bad.name) + ".csv"});
    world.StartClient(bad.name);
    world.AwaitAttached(bad.name);
  }
  std::vector<std::string> sets = Invite(std::size(kBad));
  sets.emplace_back("rounds=2");
  world.Submit("some", sets);
  world.AwaitDone("some");
  const v1::JobReply reply = world.Job("some");
  for (const v1::RoundInfo& round : reply.rounds()) REQUIRE(round.survivors() == 3);
  for (const Bad& bad : kBad) {
    INFO(bad.name);
    REQUIRE(OperatorReads(world, "some", bad.name, "DATA"));
    const std::string log = world.ClientLog(bad.name);
    INFO(log);
    REQUIRE(Contains(log, bad.place));  // the owner reads the place; the operator does not
    REQUIRE_FALSE(OperatorReads(world, "some", bad.name, bad.place));
    REQUIRE(world.client(bad.name).Running());
    REQUIRE(world.ClientStatus(bad.name).at("ledger_entries") == 0);
  }
}

}  // namespace tutti::e2e

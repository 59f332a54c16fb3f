// A coordinator that lies to real clients over the real protocol (tests/e2e/evil): each refuses by
// name, and nothing that could help to open its update leaves it. The rows are repeated in
// docs/threat-model.md. With TUTTI_MUTANT set only the attacks of that check are played
// (tests/mutants.sh).
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <span>

#include "tests/catch.h"
#include "tests/e2e/evil_rows.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

// An owner who trusts nobody.
constexpr const char* kStrict =
    "jobs = [\"trial\"]\n"
    "architectures = [\"logistic\"]\n"
    "max_epsilon_total = 1000.0\n"
    "max_epsilon_round = 5.0\n"
    "min_noise_multiplier = 0.5\n"
    "max_clip_norm = 10.0\n"
    "min_cohort = 3\n"
    "min_corrupt_fraction = 0.1\n"
    "allow_groups = false\n"
    "max_model_values = 50000\n"
    "max_local_steps = 50\n";
// One who lets everything pass that a policy can let pass.
constexpr const char* kOpen =
    "max_epsilon_total = 1000.0\n"
    "allow_without_privacy = true\n"
    "min_cohort = 2\n"
    "require_malicious_level = false\n"
    "min_noise_multiplier = 0.0\n"
    "max_clip_norm = 1000000.0\n";
constexpr const char* kOnceADay = "max_epsilon_total = 1000.0\nmax_rounds_per_day = 1\n";
// One round fits, two do not.
constexpr const char* kThrifty = "max_epsilon_total = 2.2\n";
constexpr const char* kStubborn = "max_epsilon_total = 1000.0\nmin_corrupt_fraction = 0.2\n";

struct Victim {
  const char* name;
  const char* policy;
};
constexpr Victim kVictims[] = {{"strict", kStrict},
                               {"open", kOpen},
                               {"once-a-day", kOnceADay},
                               {"thrifty", kThrifty},
                               {"stubborn", kStubborn}};

const std::span<const Victim> kStrictAlone(kVictims, 1);

// A world whose coordinator is about to be replaced by one that lies.
class EvilWorld {
 public:
  explicit EvilWorld(std::span<const Victim> victims) {
    world_.StartServer();
    for (const Victim& victim : victims) world_.Enrol(victim.name, {.policy = victim.policy});
    world_.server().Terminate();
  }
  World& world() { return world_; }

  Process& StartEvil(std::vector<std::string> plan, const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv{Program("test/tutti-evil-coordinator"),
                                  "--state",
                                  world_.StateFolder(),
                                  "--address",
                                  world_.address(),
                                  "--job",
                                  world_.folder() / "job.toml",
                                  "--report",
                                  ReportFile()};
    for (const char* set :
         {"rounds=100000", "cohort.size=80", "secure_aggregation.corrupt_fraction=0.1",
          "secure_aggregation.dropout_fraction=0.1"}) {
      argv.insert(argv.end(), {"--set", set});
    }
    argv.insert(argv.end(), more.begin(), more.end());
    argv.insert(argv.end(), plan.begin(), plan.end());
    const std::size_t before = CountOf(ReadText(world_.LogOf("evil")), "listening");
    evil_ = std::make_unique<Process>(argv, world_.LogOf("evil"));
    const bool up = WaitUntil([&] {
      return !evil_->Running() || CountOf(ReadText(world_.LogOf("evil")), "listening") > before;
    });
    INFO(ReadText(world_.LogOf("evil")));
    REQUIRE((up && evil_->Running()));
    return *evil_;
  }
  std::vector<Json> Reports() const {
    std::vector<Json> reports;
    std::ifstream file(ReportFile());
    for (std::string line; std::getline(file, line);) reports.push_back(Json::parse(line));
    return reports;
  }
  std::string ReportFile() const { return world_.folder() / "report.jsonl"; }

 private:
  World world_;
  std::unique_ptr<Process> evil_;
};

std::string Plan(const std::string& victim, const std::string& attack) {
  return victim + ":" + attack;
}

const std::vector<std::string> kWholeRound{"fetch", "join", "share", "upload", "commit", "unmask"};

// The victim went through an honest round to its end: it still does, after all that was tried.
void RequireHonest(const Json& report) {
  INFO(report.dump());
  REQUIRE_FALSE(report.contains("error"));
  REQUIRE(report.at("before") == kWholeRound);
  REQUIRE(report.at("after").empty());
  REQUIRE(report.at("stray").empty());
}

// After the lie nothing left the victim but its refusal, which names what was wrong.
void RequireRefused(const Json& report, const Row& row) {
  INFO(report.dump());
  REQUIRE_FALSE(report.contains("error"));
  REQUIRE(report.at("stray").empty());
  for (const std::string kind : report.at("after")) {
    REQUIRE((kind == "fetch" || kind == "decline"));
  }
  REQUIRE_FALSE(report.at("after").empty());
  REQUIRE(report.at("after").back() == "decline");
  REQUIRE(report.at("code") == row.code);
  REQUIRE(Contains(report.at("reason").get<std::string>(), row.fragment));
}

// The rows to play: all of them, or those of the check that is off.
std::vector<Row> Rows(std::span<const Row> all) {
  const char* const mutant = std::getenv("TUTTI_MUTANT");
  std::vector<Row> rows;
  std::copy_if(all.begin(), all.end(), std::back_inserter(rows), [&](const Row& row) {
    return mutant == nullptr || std::string(mutant) == row.guard;
  });
  return rows;
}

// How many of the victim's reports have a vector that left: only those rounds may cost it.
std::size_t Uploads(const std::vector<Json>& reports, const std::string& victim) {
  return static_cast<std::size_t>(
      std::count_if(reports.begin(), reports.end(), [&](const Json& report) {
        const Json& before = report.at("before");
        return report.at("victim") == victim &&
               std::find(before.begin(), before.end(), "upload") != before.end();
      }));
}

}  // namespace

TEST_CASE("every lie of a coordinator is refused by name and nothing leaves", "[e2e][evil]") {
  const std::vector<Row> rows = Rows(kRows);
  if (rows.empty()) return;
  EvilWorld evil(kVictims);
  World& world = evil.world();
  std::vector<std::string> plan, used_victims;
  for (const Victim& victim : kVictims) {
    const bool used = std::any_of(rows.begin(), rows.end(), [&](const Row& row) {
      return std::string(row.victim) == victim.name;
    });
    if (!used) continue;
    used_victims.emplace_back(victim.name);
    // The stubborn one takes part in nothing this coordinator has.
    if (std::string(victim.name) != "stubborn") plan.push_back(Plan(victim.name, "none"));
  }
  const std::size_t honest = plan.size();
  for (const Row& row : rows) plan.push_back(Plan(row.victim, row.attack));
  const bool strict = plan[0] == "strict:none";
  if (strict) plan.push_back("strict:none");
  Process& coordinator = evil.StartEvil(plan);
  for (const std::string& victim : used_victims) world.StartClient(victim);
  const auto ended = coordinator.Wait(600);
  INFO(ReadText(world.LogOf("evil")));
  REQUIRE(ended);
  REQUIRE(ended->exit_code == 0);
  const std::vector<Json> reports = evil.Reports();
  REQUIRE(reports.size() == plan.size());
  for (std::size_t i = 0; i < honest; ++i) RequireHonest(reports[i]);
  for (std::size_t i = 0; i < rows.size(); ++i) RequireRefused(reports[honest + i], rows[i]);
  if (strict) RequireHonest(reports.back());
  for (const Victim& victim : kVictims) {
    INFO(victim.name);
    REQUIRE(world.ClientStatus(victim.name).at("ledger_entries") == Uploads(reports, victim.name));
    REQUIRE(world.LedgerVerifies(victim.name));
  }
}

TEST_CASE("docs/threat-model.md lists every attack", "[evil]") {
  const std::string text = ReadText(TUTTI_SOURCE_DIR "/docs/threat-model.md");
  std::vector<std::string> attacks;
  for (const Row& row : kRows) attacks.emplace_back(row.attack);
  for (const WireRow& row : kWireRows) attacks.emplace_back(row.attack);
  for (const std::string& attack : attacks) {
    INFO(attack);
    REQUIRE(Contains(text, "`" + attack + "`"));
  }
}

TEST_CASE("a notice that breaks the protocol ends the stream before it reaches the session",
          "[e2e][evil]") {
  if (std::getenv("TUTTI_MUTANT") != nullptr) return;
  EvilWorld evil(kStrictAlone);
  World& world = evil.world();
  std::vector<std::string> plan{"strict:roster-of-nobody"};
  for (const WireRow& row : kWireRows) plan.push_back(Plan("strict", row.attack));
  Process& coordinator = evil.StartEvil(plan);
  world.StartClient("strict");
  for (std::size_t i = 0; i < std::size(kWireRows); ++i) {
    INFO(kWireRows[i].attack);
    const bool told = WaitUntil(
        [&] { return CountOf(world.ClientLog("strict"), "waiting_for_coordinator") == i + 1; });
    INFO(world.ClientLog("strict"));
    REQUIRE(told);
    REQUIRE(Contains(world.ClientLog("strict"), kWireRows[i].fragment));
    // Left alone it would come back, but slowly.
    world.StartClient("strict");
  }
  const auto ended = coordinator.Wait();
  REQUIRE(ended);
  REQUIRE(ended->exit_code == 0);
  const std::vector<Json> reports = evil.Reports();
  REQUIRE(reports.size() == plan.size());
  REQUIRE(reports[0].at("code") == "NO_SESSION");  // it is refused for what it is, not for its form
  for (std::size_t i = 1; i < reports.size(); ++i) {
    INFO(reports[i].dump());
    REQUIRE(reports[i].at("detached") == true);
    REQUIRE(reports[i].at("before").empty());
    REQUIRE(reports[i].at("after").empty());
    REQUIRE(reports[i].at("stray").empty());
  }
  REQUIRE(world.ClientStatus("strict").at("ledger_entries") == 0);
}

TEST_CASE("a coordinator with another name or another CA hears nothing", "[e2e][evil]") {
  if (std::getenv("TUTTI_MUTANT") != nullptr) return;
  EvilWorld evil(kStrictAlone);
  World& world = evil.world();
  std::size_t told = 0;
  for (const char* certificate : {"other-name", "other-ca"}) {
    INFO(certificate);
    evil.StartEvil({"strict:none"}, {"--certificate", certificate});
    world.StartClient("strict");
    ++told;
    REQUIRE(WaitUntil(
        [&] { return CountOf(world.ClientLog("strict"), "waiting_for_coordinator") == told; }));
    const std::string log = world.ClientLog("strict");
    INFO(log);
    REQUIRE_FALSE(Contains(log, "attached"));
    REQUIRE(evil.Reports().empty());
    world.client("strict").Kill();
  }
}

TEST_CASE("a coordinator that sends clients away for ten years or elsewhere is not obeyed",
          "[e2e][evil]") {
  if (std::getenv("TUTTI_MUTANT") != nullptr) return;
  EvilWorld evil(kStrictAlone);
  World& world = evil.world();
  // To a host that would take everything it gets.
  const std::vector<int> ports = FreePorts(1);
  const std::string elsewhere = "127.0.0.1:" + std::to_string(ports[0]);
  Process redirect(
      {"python3", std::string(TUTTI_TEST_DATA) + "/e2e/evil/redirect.py", world.address(),
       elsewhere, world.StateFolder() + "/pki", world.folder() / "redirect.txt"},
      world.LogOf("redirect"));
  world.StartClient("strict");
  INFO(ReadText(world.LogOf("redirect")));
  REQUIRE(WaitUntil([&] {
    return Contains(world.ClientLog("strict"), "waiting_for_coordinator") &&
           Contains(ReadText(world.folder() / "redirect.txt"), "answered 307");
  }));
  redirect.Kill();
  REQUIRE_FALSE(Contains(ReadText(world.folder() / "redirect.txt"), "followed"));
  REQUIRE_FALSE(Contains(world.ClientLog("strict"), "attached"));

  Process& coordinator = evil.StartEvil({"strict:none"}, {"--refuse-attaches", "315360000000"});
  const auto ended = coordinator.Wait();
  REQUIRE(ended);
  REQUIRE(ended->exit_code == 0);
  RequireHonest(evil.Reports().at(0));
}

}  // namespace tutti::e2e

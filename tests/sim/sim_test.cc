// Thousands of rounds in seeded worlds. A failure prints the seed; add it to regressions.txt once
// it is understood. One world again, with its trace: TUTTI_SIM_SEED=123 TUTTI_SIM_TRACE=1
// tutti_sim_test "[one]" More worlds: TUTTI_SIM_WORLDS=100000 tutti_sim_test "[worlds]"
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/sim/simulation.h"

#include "tests/catch.h"

namespace tutti::sim {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Totals {
  std::uint64_t worlds = 0, rounds = 0, attempts = 0, server_crashes = 0, device_crashes = 0,
                spoiled = 0, excluded = 0;
};

void RequireGood(std::uint64_t seed, const Options& options, Totals& totals) {
  const Outcome outcome = RunWorld(seed, options);
  INFO("seed " << seed << " (" << outcome.setting << "): " << outcome.violation);
  REQUIRE(outcome.violation.empty());
  REQUIRE(outcome.rounds == options.rounds);
  ++totals.worlds;
  totals.rounds += outcome.rounds;
  totals.attempts += outcome.attempts;
  totals.server_crashes += outcome.server_crashes;
  totals.device_crashes += outcome.device_crashes;
  totals.spoiled += outcome.spoiled;
  totals.excluded += outcome.excluded;
}

void Print(const char* what, const Totals& totals) {
  std::cout << what << ": " << totals.worlds << " worlds, " << totals.rounds
            << " rounds published in " << totals.attempts << " attempts, " << totals.server_crashes
            << " coordinator and " << totals.device_crashes << " device crashes";
  if (totals.spoiled > 0) {
    std::cout << ", " << totals.spoiled << " sums spoiled, " << totals.excluded
              << " devices excluded";
  }
  std::cout << "\n";
}

}  // namespace

TEST_CASE("every invariant holds in random worlds and every job ends", "[sim][worlds]") {
  const std::uint64_t worlds = FromEnvironment("TUTTI_SIM_WORLDS", 600);
  const std::uint64_t first = FromEnvironment("TUTTI_SIM_FIRST", 1);
  Totals totals;
  for (std::uint64_t seed = first; seed < first + worlds; ++seed) {
    RequireGood(seed, {}, totals);
  }
  Print("small cohorts", totals);
}

TEST_CASE("every invariant holds in worlds of twelve devices", "[sim][worlds]") {
  Totals totals;
  for (std::uint64_t seed = 1'000'000; seed < 1'000'020; ++seed) {
    RequireGood(seed, {.devices = 12, .rounds = 4}, totals);
  }
  Print("twelve devices", totals);
}

TEST_CASE("every invariant holds when rounds are split into groups", "[sim][worlds]") {
  Totals totals;
  for (std::uint64_t seed = 2'000'000; seed < 2'000'040; ++seed) {
    RequireGood(seed, {.devices = 8, .rounds = 4, .groups = 2}, totals);
  }
  for (std::uint64_t seed = 3'000'000; seed < 3'000'015; ++seed) {
    RequireGood(seed, {.devices = 12, .rounds = 4, .groups = 3}, totals);
  }
  Print("groups", totals);
}

// That no honest device is ever excluded is the oracle's part. Without the draw that leaves
// suspects out each attempt would be spoiled and no job end.
TEST_CASE("a device that spoils sums stops no job and makes no honest one excluded",
          "[sim][worlds][liars]") {
  const std::uint64_t worlds = FromEnvironment("TUTTI_SIM_LIARS", 20);
  const auto play = [&](const char* what, std::uint64_t first, const Options& options) {
    Totals totals;
    for (std::uint64_t seed = first; seed < first + worlds; ++seed) {
      RequireGood(seed, options, totals);
    }
    Print(what, totals);
    REQUIRE(totals.spoiled > 0);
    // Never more than one in two of all sums that were opened.
    REQUIRE(totals.spoiled < totals.rounds);
  };
  play("one liar", 4'000'000, {.devices = 8, .rounds = 16, .liars = 1});
  play("one that lies now and then", 5'000'000,
       {.devices = 8, .rounds = 16, .liars = 1, .lies = 0.5});
  play("one liar in groups", 6'000'000, {.devices = 9, .rounds = 16, .groups = 2, .liars = 1});
  play("two liars in groups", 7'000'000, {.devices = 12, .rounds = 16, .groups = 3, .liars = 2});
}

// In this world all but three devices refuse the job, and one of the three is the liar.
TEST_CASE("a job that cannot do without a liar ends and says so, and goes on with more clients",
          "[sim][liars]") {
  Totals totals;
  RequireGood(4'000'166, {.devices = 8, .rounds = 16, .liars = 1}, totals);
  REQUIRE(totals.spoiled > 20);  // up to max_failures
}

TEST_CASE("seeds that once found a fault stay good", "[sim]") {
  std::ifstream file(TUTTI_TEST_DATA "/sim/regressions.txt");
  REQUIRE(file.good());
  Totals totals;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') {
      RequireGood(std::strtoull(line.c_str(), nullptr, 10), {}, totals);
    }
  }
  REQUIRE(totals.worlds > 0);
}

TEST_CASE("the same seed gives the same world twice", "[sim]") {
  for (const std::uint64_t seed : {7ULL, 8ULL, 9ULL}) {
    const Outcome first = RunWorld(seed);
    const Outcome second = RunWorld(seed);
    REQUIRE(first.trace_hash == second.trace_hash);
    REQUIRE(RunWorld(seed + 100).trace_hash != first.trace_hash);
  }
}

TEST_CASE("one world by its seed", "[.][one]") {
  Totals totals;
  RequireGood(FromEnvironment("TUTTI_SIM_SEED", 1), {}, totals);
  Print("one world", totals);
}

}  // namespace tutti::sim

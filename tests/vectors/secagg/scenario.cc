#include "tests/vectors/secagg/scenario.h"

#include "common/crypto/hash.h"

namespace tutti::vectors {
namespace {

using secagg::RoundConfig;
using secagg::ThreatLevel;

// A configuration for `clients` clients; what a scenario is about it sets itself.
RoundConfig Base(ThreatLevel level, std::uint32_t clients) {
  RoundConfig config;
  config.level = level;
  config.job = "vectors";
  config.round = 3;
  config.attempt = 2;
  config.model_hash = crypto::Sha256(AsBytes("a model"));
  config.task_hash = crypto::Sha256(AsBytes("a task"));
  config.values = 11;
  config.value_bits = 16;
  config.min_cohort = 3;
  config.min_survivors = 3;
  config.max_cohort = clients;
  config.server_nonce = crypto::Sha256(AsBytes("a nonce"));
  return config;
}

std::vector<LastStep> Everybody(std::uint32_t clients) { return {clients, LastStep::kUnmask}; }

Scenario CuriousFive() {
  return {.name = "curious-5",
          .about =
              "level curious, complete graph, nobody drops out, ring of 19 bits in 32-bit "
              "lanes, every weight is 1",
          .config = Base(ThreatLevel::kCurious, 5),
          .last = Everybody(5),
          .recorded = {}};
}

Scenario MaliciousEarly() {
  Scenario scenario{.name = "malicious-6-early",
                    .about =
                        "level malicious; client 1 drops out after joining, client 4 after "
                        "sharing, so that its mask key is rebuilt",
                    .config = Base(ThreatLevel::kMalicious, 6),
                    .last = Everybody(6),
                    .recorded = {}};
  scenario.last[1] = LastStep::kJoin;
  scenario.last[4] = LastStep::kShare;
  return scenario;
}

Scenario MaliciousLate() {
  Scenario scenario{.name = "malicious-6-late",
                    .about =
                        "level malicious; client 0 drops out after its vector, client 3 after "
                        "its commit: both are in the sum",
                    .config = Base(ThreatLevel::kMalicious, 6),
                    .last = Everybody(6),
                    .recorded = {}};
  scenario.last[0] = LastStep::kMask;
  scenario.last[3] = LastStep::kCommit;
  return scenario;
}

Scenario NarrowLanes() {
  Scenario scenario{.name = "lanes-16",
                    .about =
                        "ring of 11 bits in 16-bit lanes, two metrics after the weight; client "
                        "2 drops out after sharing",
                    .config = Base(ThreatLevel::kCurious, 4),
                    .last = Everybody(4),
                    .recorded = {}};
  scenario.config.value_bits = 8;
  scenario.config.value_clip = 0.5;
  scenario.config.extra_lanes = 3;
  scenario.last[2] = LastStep::kShare;
  return scenario;
}

Scenario WideLanes() {
  Scenario scenario{.name = "lanes-64",
                    .about = "ring of 33 bits in 64-bit lanes, weights of up to 16",
                    .config = Base(ThreatLevel::kCurious, 4),
                    .last = Everybody(4),
                    .recorded = {}};
  scenario.config.value_bits = 30;
  scenario.config.value_clip = 2;
  scenario.config.weight_bits = 4;
  scenario.config.values = 9;
  return scenario;
}

Scenario Group() {
  Scenario scenario{.name = "group-packed-23",
                    .about =
                        "the second of three groups of one attempt; ring of 23 bits, because up "
                        "to 100 clients may take part; client 0 drops out after sharing",
                    .config = Base(ThreatLevel::kCurious, 100),
                    .last = Everybody(4),
                    .recorded = {}};
  scenario.config.group = 1;
  scenario.config.groups = 3;
  scenario.config.weight_bits = 6;
  scenario.config.values = 13;
  scenario.last[0] = LastStep::kShare;
  return scenario;
}

Scenario Sparse() {
  Scenario scenario{
      .name = "sparse-66",
      .about =
          "level malicious on a sparse graph: proofs of a few leaves of many, and a "
          "certificate with strangers; of one client everything, of the others joins and "
          "vectors; client 65 drops out after sharing",
      .config = Base(ThreatLevel::kMalicious, 66),
      .last = Everybody(66),
      .recorded = {37}};
  scenario.config.values = 3;
  scenario.config.min_cohort = 60;
  scenario.config.min_survivors = 50;
  scenario.config.corrupt_fraction = 0.02;
  scenario.config.dropout_fraction = 0.02;
  scenario.config.privacy_bits = 20;
  scenario.config.liveness_bits = 5;
  scenario.last[65] = LastStep::kShare;
  return scenario;
}

}  // namespace

std::string_view NameOf(LastStep step) {
  switch (step) {
    case LastStep::kJoin:
      return "join";
    case LastStep::kShare:
      return "share";
    case LastStep::kMask:
      return "mask";
    case LastStep::kCommit:
      return "commit";
    case LastStep::kUnmask:
      return "unmask";
  }
  return "";
}

std::vector<Scenario> AllScenarios() {
  return {CuriousFive(), MaliciousEarly(), MaliciousLate(), NarrowLanes(),
          WideLanes(),   Group(),          Sparse()};
}

}  // namespace tutti::vectors

// Both kinds of simulation live by the same fates, deadlines and draws, so they have to give the
// same rounds at the same times and the same models, byte for byte.
#include "tests/catch.h"
#include "tests/unit/simulate/support.h"

namespace tutti::simulate {
namespace {

void RequireSame(const Outcome& a, const Outcome& b) {
  INFO(a.report.ended << " | " << b.report.ended);
  REQUIRE(a.report.ended.empty() == b.report.ended.empty());
  REQUIRE(a.report.failures.size() == b.report.failures.size());
  for (std::size_t i = 0; i < a.report.failures.size(); ++i) {
    INFO(a.report.failures[i].reason << " | " << b.report.failures[i].reason);
    REQUIRE(a.report.failures[i].round == b.report.failures[i].round);
    REQUIRE(a.report.failures[i].clock_seconds == b.report.failures[i].clock_seconds);
  }
  REQUIRE(a.report.rounds.size() == b.report.rounds.size());
  for (std::size_t i = 0; i < a.report.rounds.size(); ++i) {
    const RoundReport& one = a.report.rounds[i];
    const RoundReport& other = b.report.rounds[i];
    INFO("round " << one.round);
    REQUIRE(one.invited == other.invited);
    REQUIRE(one.survivors == other.survivors);
    REQUIRE(one.malicious == other.malicious);
    REQUIRE(one.late == other.late);
    REQUIRE(one.groups_left_out == other.groups_left_out);
    REQUIRE(one.clock_seconds == other.clock_seconds);
    REQUIRE(one.train_loss == other.train_loss);
    REQUIRE(one.back_to == other.back_to);
  }
  REQUIRE(a.report.most_rounds == b.report.most_rounds);
  REQUIRE(a.report.excluded == b.report.excluded);
  REQUIRE(a.report.bytes_up == b.report.bytes_up);
  REQUIRE(a.report.bytes_down == b.report.bytes_down);
  REQUIRE(a.model == b.model);
}

struct Case {
  std::string name;
  std::vector<std::string> job;
  std::vector<std::string> world;
};

const std::vector<Case> kCases = {
    {"all is well", {}, {}},
    {"level malicious", {"secure_aggregation.level=malicious"}, {}},
    {"over-selection", {"cohort.over_selection=1.5"}, {"devices.speed_spread=2"}},
    {"dropouts everywhere",
     {"secure_aggregation.level=malicious", "cohort.over_selection=1.5",
      "secure_aggregation.dropout_fraction=0.2"},
     {"dropout.training=0.2", "dropout.sharing=0.05", "dropout.upload=0.05", "dropout.commit=0.05",
      "dropout.unmask=0.05"}},
    {"hopeless dropouts", {"deadlines.max_failures=5"}, {"dropout.upload=0.9"}},
    {"short deadlines",
     {"deadlines.train_seconds=2", "deadlines.max_failures=8", "deadlines.upload_seconds=0.2"},
     {"devices.speed_spread=1", "network.latency_spread=1"}},
    {"few are there", {}, {"devices.availability=0.35", "dropout.training=0.1"}},
    {"groups",
     {"robust.groups=2", "robust.rule=mean", "cohort.over_selection=1.3"},
     {"dropout.training=0.2", "dropout.sharing=0.2"}},
    {"groups against liars",
     {"robust.groups=3", "robust.rule=median", "cohort.size=12", "robust.max_update_norm=0.5",
      "rounds=12", "secure_aggregation.corrupt_fraction=0.06"},
     {"malicious.share=0.05", "malicious.kind=scale", "malicious.strength=100"}},
    {"models that give way to better ones",
     {"evaluation.every=1", "evaluation.max_loss_increase=0.05", "rounds=10",
      "server.momentum=0.5"},
     {}},
    {"noise in the sum",
     {"privacy.unit=client", "privacy.noise=distributed", "privacy.noise_multiplier=1",
      "privacy.clip_norm=0.5", "cohort.size=15", "cohort.min_clients=10"},
     {}},
    {"noise of the coordinator",
     {"privacy.unit=client", "privacy.noise=central", "privacy.noise_multiplier=1",
      "privacy.clip_norm=0.5", "privacy.target_quantile=0.5", "server.momentum=0.5"},
     {}},
    {"few values and bits",
     {"secure_aggregation.sampled_fraction=0.5", "secure_aggregation.rotate=true",
      "secure_aggregation.value_bits=8", "server.momentum=0.5"},
     {"dropout.training=0.1"}},
    {"noise on a sample",
     {"privacy.unit=client", "privacy.noise=distributed", "privacy.noise_multiplier=1",
      "privacy.clip_norm=0.5", "privacy.target_quantile=0.5", "cohort.size=15",
      "cohort.min_clients=10", "secure_aggregation.sampled_fraction=0.5"},
     {}},
    {"late updates",
     {"training.max_staleness=3", "cohort.over_selection=2", "rounds=10",
      "secure_aggregation.level=malicious", "secure_aggregation.dropout_fraction=0.2",
      "privacy.unit=client", "privacy.noise=distributed", "privacy.noise_multiplier=1",
      "privacy.clip_norm=0.5"},
     {"devices.speed_spread=2", "dropout.training=0.1", "dropout.sharing=0.05",
      "dropout.upload=0.05"}},
    {"late updates after failed attempts",
     {"training.max_staleness=2", "deadlines.train_seconds=2", "deadlines.max_failures=8",
      "training.schedule=linear", "rounds=6"},
     {"devices.speed_spread=1.5", "network.latency_spread=1"}},
    {"late updates of whole clients",
     {"privacy.unit=client", "privacy.noise=central", "privacy.noise_multiplier=1",
      "privacy.clip_norm=0.1", "training.max_staleness=5", "training.staleness_power=1",
      "cohort.over_selection=1.5", "rounds=6"},
     {"devices.speed_spread=2"}},
};

}  // namespace

TEST_CASE("with and without keys and masks the rounds and the models are the same", "[simulate]") {
  std::uint32_t failures = 0, left_out = 0, excluded = 0, ended = 0, late = 0;
  for (const Case& one : kCases) {
    for (const std::string seed : {"1", "2", "3"}) {
      INFO(one.name << ", seed " << seed);
      const server::PreparedJob job = SmallJob(one.job);
      std::vector<std::string> sets = one.world;
      sets.push_back("seed=" + seed);
      const v1::SimulationConfig world = SmallWorld(sets);
      const Population population = Dealt(world, 200);
      const Outcome fast = Run(job, world, population, false);
      RequireSame(fast, Run(job, world, population, true));
      failures += static_cast<std::uint32_t>(fast.report.failures.size());
      excluded += fast.report.excluded;
      ended += fast.report.ended.empty() ? 0U : 1U;
      for (const RoundReport& round : fast.report.rounds) {
        left_out += round.groups_left_out;
        late += round.late;
      }
    }
  }
  // The cases reach what they are for.
  REQUIRE(failures > 20);
  REQUIRE(left_out > 0);
  REQUIRE(excluded > 0);
  REQUIRE(ended >= 3);
  REQUIRE(late > 50);
}

TEST_CASE("a simulation gives the same bytes on any number of threads", "[simulate]") {
  const server::PreparedJob job = SmallJob({"robust.groups=2"});
  const v1::SimulationConfig world = SmallWorld({"dropout.training=0.1"});
  const Population population = Dealt(world, 100);
  const Outcome one = Run(job, world, population, false, 1);
  for (const std::size_t threads : {2U, 5U}) {
    RequireSame(one, Run(job, world, population, false, threads));
  }
}

TEST_CASE("losses that do not fall end a job early, as its patience says", "[simulate]") {
  // The learner's loss rises with every round.
  const server::PreparedJob job = SmallJob({"rounds=30", "evaluation.patience=2"});
  const v1::SimulationConfig world = SmallWorld();
  const Population population = Dealt(world, 100);
  const Outcome fast = Run(job, world, population, false);
  REQUIRE(fast.report.rounds.size() == 3);
  REQUIRE(fast.report.ended.find("2 evaluations brought no smaller loss") != std::string::npos);
  REQUIRE(fast.report.done);
  RequireSame(fast, Run(job, world, population, true));
}

TEST_CASE("another seed gives another model", "[simulate]") {
  const server::PreparedJob job = SmallJob();
  const v1::SimulationConfig a = SmallWorld({"seed=1"});
  const v1::SimulationConfig b = SmallWorld({"seed=2"});
  REQUIRE(Run(job, a, Dealt(a, 100), false).model != Run(job, b, Dealt(b, 100), false).model);
}

}  // namespace tutti::simulate

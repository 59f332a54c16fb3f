// Simulations of jobs that work against a gap between groups.
#include <cmath>

#include "common/learn/runtime.h"
#include "server/simulate/chance.h"
#include "server/simulate/learning.h"
#include "tests/catch.h"
#include "tests/unit/simulate/support.h"

namespace tutti::simulate {
namespace {

constexpr std::uint32_t kClients = 8;

// People of two groups; the second one's features are lower, and one feature tells the group.
data::Dataset People(std::size_t count, std::uint64_t seed) {
  data::Dataset data;
  data.examples = count;
  data.width = 3;
  data.groups = {{.column = "sex", .names = {"f", "m"}, .codes = {}}};
  auto rng = StreamOf(seed, "people");
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t group = i % 3 == 0 ? 1 : 0;
    const std::uint32_t label = UniformBelow(rng, 10) < (group == 1 ? 3U : 6U) ? 1 : 0;
    for (const double centre : {label * 1.5 - 0.75, 1.0 * group, 0.4 * label}) {
      data.features.push_back(static_cast<float>(centre + 0.8 * Normal(rng)));
    }
    data.labels.push_back(label);
    data.groups[0].codes.push_back(group);
  }
  return data;
}

Outcome RunWith(const std::vector<std::string>& fairness, bool secure, std::size_t threads = 1) {
  std::vector<std::string> sets{"training.learning_rate=0.5",
                                "training.local_epochs=0",
                                "training.local_steps=4",
                                "rounds=30",
                                "cohort.size=8",
                                "fairness.attribute=sex",
                                "fairness.groups=m,f",
                                "fairness.criterion=demographic_parity",
                                "evaluation.every=0"};
  sets.insert(sets.end(), fairness.begin(), fairness.end());
  const server::PreparedJob job = SmallJob(sets);
  const v1::SimulationConfig world = SmallWorld({"clients=8"});
  Examples examples;
  examples.train = People(1600, 1);
  examples.test = People(2000, 2);
  examples.clients = kClients;
  for (std::uint32_t i = 0; i < 1600; ++i) examples.owners.push_back(i % kClients);
  const auto population = Population::Create(world, kClients, examples.owners);
  REQUIRE(population.ok());
  const auto data = LearningDataOf(job.config.model(), examples, {}, job.task.fairness());
  REQUIRE(data.ok());
  learn::SetUp(1);
  auto learners = NewLearners(job.config.model(), *data, threads, "");
  REQUIRE(learners.ok());
  auto course = Course::Start(job, {});
  REQUIRE(course.ok());
  const auto report = Simulate({job, world, *population}, secure, *learners, *course, {});
  INFO(TextOf(report.status()));
  REQUIRE(report.ok());
  return {*report, ToBytes(course->model())};
}

TEST_CASE("a simulated constraint brings the gap on other people down", "[simulate]") {
  const Outcome none = RunWith({}, false);
  REQUIRE(*none.report.rounds.back().test_gap > 0.25);
  REQUIRE_FALSE(none.report.rounds.front().test_gap);  // was not measured
  const Outcome held = RunWith({"fairness.rule=constraint", "fairness.strength=0.3"}, false);
  REQUIRE(*held.report.rounds.back().test_gap < 0.1);
  REQUIRE(*held.report.rounds.back().test_accuracy >
          *none.report.rounds.back().test_accuracy - 0.12);
  const Outcome eased = RunWith({"fairness.rule=penalty", "fairness.strength=4"}, false);
  REQUIRE(*eased.report.rounds.back().test_gap < 0.8 * *none.report.rounds.back().test_gap);
  const Outcome weighed = RunWith({"fairness.rule=reweigh"}, false);
  REQUIRE(*weighed.report.rounds.back().test_gap < 0.9 * *none.report.rounds.back().test_gap);
}

TEST_CASE("counts and tilts are the same with masks and on any number of threads", "[simulate]") {
  const std::vector<std::string> rule{"fairness.rule=constraint", "fairness.strength=0.3",
                                      "rounds=5"};
  const Bytes model = RunWith(rule, false).model;
  REQUIRE(RunWith(rule, false, 3).model == model);
  REQUIRE(RunWith(rule, true).model == model);
}

TEST_CASE("with privacy the gap falls by noisy counts, which cost epsilon", "[simulate]") {
  const std::vector<std::string> privacy{"privacy.unit=example", "privacy.noise_multiplier=1",
                                         "privacy.delta=1e-3", "rounds=20"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), privacy.begin(), privacy.end());
    return RunWith(more, false).report;
  };
  const Report none = with({"privacy.counts_noise_multiplier=1000"});
  const Report held = with(
      {"privacy.counts_noise_multiplier=4", "fairness.rule=constraint", "fairness.strength=0.3"});
  REQUIRE(*held.rounds.back().test_gap < 0.75 * *none.rounds.back().test_gap);
  REQUIRE(held.epsilon_coordinator > none.epsilon_coordinator + 0.1);
}

TEST_CASE("counts travel beside updates whose noise is in the sum", "[simulate]") {
  const std::vector<std::string> job{"privacy.unit=example",
                                     "privacy.noise=distributed",
                                     "privacy.noise_multiplier=1",
                                     "privacy.sampling_rate=0.1",
                                     "privacy.counts_noise_multiplier=4",
                                     "privacy.delta=1e-3",
                                     "training.local_steps=1",
                                     "cohort.min_clients=8",
                                     "fairness.rule=penalty",
                                     "rounds=4"};
  const Outcome fast = RunWith(job, false);
  REQUIRE(RunWith(job, true).model == fast.model);
}

TEST_CASE("a table without the job's column is refused", "[simulate]") {
  const server::PreparedJob job = SmallJob({"fairness.attribute=age", "fairness.groups=old,young"});
  Examples examples;
  examples.train = People(20, 1);
  REQUIRE(LearningDataOf(job.config.model(), examples, {}, job.task.fairness()).status().code() ==
          StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tutti::simulate

#include "tests/unit/simulate/support.h"

#include "common/config/validate.h"
#include "server/simulate/chance.h"
#include "tests/catch.h"

namespace tutti::simulate {
namespace {

constexpr const char* kJob = R"(
name = "small"
rounds = 3
[model]
architecture = "logistic"
input_shape = [3]
classes = 2
[training]
learning_rate = 0.1
batch_size = 4
local_epochs = 1
[privacy]
unit = "none"
[cohort]
size = 8
[secure_aggregation]
level = "curious"
)";

template <typename Message>
Message Loaded(const char* text, const std::vector<std::string>& sets) {
  Message message;
  config::LoadResult result =
      config::LoadText(text, "test.toml", message, {.environment = {}, .command_line = sets});
  config::Validate(message, result);
  INFO(config::ToText(result.problems));
  REQUIRE(result.problems.empty());
  return message;
}

}  // namespace

server::PreparedJob SmallJob(const std::vector<std::string>& sets) {
  auto job = server::PrepareJob(Loaded<v1::JobConfig>(kJob, sets));
  INFO(TextOf(job.status()));
  REQUIRE(job.ok());
  return *std::move(job);
}

v1::SimulationConfig SmallWorld(const std::vector<std::string>& sets) {
  return Loaded<v1::SimulationConfig>("clients = 20\n", sets);
}

Population Dealt(const v1::SimulationConfig& world, std::size_t examples) {
  std::vector<std::uint32_t> owners;
  for (std::size_t i = 0; i < examples; ++i) {
    owners.push_back(static_cast<std::uint32_t>(i % world.clients()));
  }
  auto population = Population::Create(world, world.clients(), owners);
  REQUIRE(population.ok());
  return *std::move(population);
}

StatusOr<Learnt> FakeLearner::Train(const Assignment& assignment, std::span<const float> weights,
                                    SecureRng& rng) {
  Learnt learnt;
  const auto pull = static_cast<float>(assignment.rows.front() % 7) * 0.02F;
  for (const float weight : weights) {
    const auto noise = static_cast<float>(0.05 * Normal(rng));
    learnt.update.push_back((assignment.reversed_labels ? -1.0F : 1.0F) *
                            (pull + noise - 0.1F * weight));
  }
  learnt.loss = pull;
  return learnt;
}

StatusOr<Score> FakeLearner::Measure(std::size_t part, std::size_t,
                                     std::span<const float> weights) {
  return Score{.examples = part + 1, .loss = weights[0], .accuracy = 0.5};
}

Outcome Run(const server::PreparedJob& job, const v1::SimulationConfig& world,
            const Population& population, bool secure, std::size_t threads) {
  std::vector<std::unique_ptr<Learner>> learners;
  for (std::size_t i = 0; i < threads; ++i) {
    learners.push_back(std::make_unique<FakeLearner>());
  }
  auto course = Course::Start(job, {});
  REQUIRE(course.ok());
  const Scene scene{job, world, population};
  auto report = Simulate(scene, secure, learners, *course, {});
  INFO(TextOf(report.status()));
  REQUIRE(report.ok());
  return {*std::move(report), ToBytes(course->model())};
}

}  // namespace tutti::simulate

// A job on small images dealt out to twelve clients, really trained.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/learn/runtime.h"
#include "server/simulate/learning.h"
#include "tests/catch.h"
#include "tests/unit/learn/image_files.h"
#include "tests/unit/simulate/support.h"

namespace tutti::simulate {

inline constexpr std::uint32_t kClients = 12;

inline std::vector<std::string> ImageJob(std::vector<std::string> more = {}) {
  std::vector<std::string> sets{"model.input_shape=8,8", "training.learning_rate=0.2", "rounds=3",
                                "cohort.size=12"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

// A job on images dealt out to twelve clients.
struct Trial {
  server::PreparedJob job;
  v1::SimulationConfig world;
  Population population;
  std::shared_ptr<const LearningData> data;
};

inline Trial NewTrial(const ImageFiles& files, const std::vector<std::string>& job_sets,
                      std::vector<std::string> world_sets = {}) {
  world_sets.push_back("clients=12");
  Trial trial{SmallJob(job_sets), SmallWorld(world_sets), {}, {}};
  auto examples = LoadExamples({.data = files.folder(), .test = "", .test_fraction = 0},
                               trial.job.config.model(), trial.world);
  INFO(TextOf(examples.status()));
  REQUIRE(examples.ok());
  auto population = Population::Create(trial.world, examples->clients, examples->owners);
  REQUIRE(population.ok());
  trial.population = *std::move(population);
  auto data = LearningDataOf(trial.job.config.model(), *examples,
                             {trial.job.config.adversary(), trial.world.malicious()});
  REQUIRE(data.ok());
  trial.data = *data;
  return trial;
}

inline Outcome RunTrial(const Trial& trial, std::size_t threads, bool secure) {
  learn::SetUp(1);
  auto learners = NewLearners(trial.job.config.model(), trial.data, threads, "");
  REQUIRE(learners.ok());
  auto course = Course::Start(trial.job, {});
  REQUIRE(course.ok());
  const auto report =
      Simulate({trial.job, trial.world, trial.population}, secure, *learners, *course, {});
  INFO(TextOf(report.status()));
  REQUIRE(report.ok());
  return {*report, ToBytes(course->model())};
}

inline double Accuracy(const Outcome& outcome) {
  return *outcome.report.rounds.back().test_accuracy;
}

}  // namespace tutti::simulate

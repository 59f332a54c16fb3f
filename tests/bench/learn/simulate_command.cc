// tutti-bench simulate: client-rounds a second against the training alone.
#include "tests/bench/learn/simulate_command.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "common/config/validate.h"
#include "common/learn/runtime.h"
#include "server/simulate/learning.h"
#include "server/simulate/simulation.h"

namespace tutti::bench {
namespace {

struct Options {
  std::string job = "configs/jobs/benchmarks/simulation.toml";
  std::string folder = "/usr/share/datasets/fashion-mnist";
  std::string model = "logistic";
  std::uint32_t clients = 1000;
  std::uint32_t per_round = 50;
  std::uint32_t rounds = 20;
  std::uint32_t threads = 2;
  bool secure = false;
};

void AddOptions(CLI::App& app, Options& options) {
  app.add_option("--job", options.job, "job file");
  app.add_option("--data", options.folder, "folder of the MNIST family");
  app.add_option("--model", options.model, "model.architecture")
      ->check(CLI::IsMember({"logistic", "lenet5"}));
  app.add_option("--clients", options.clients, "enrolled clients")->check(CLI::Range(2, 60000));
  app.add_option("--per-round", options.per_round, "cohort.size")->check(CLI::Range(2, 10000));
  app.add_option("--rounds", options.rounds, "of the job")->check(CLI::Range(1, 100000));
  app.add_option("--threads", options.threads, "that train")->check(CLI::Range(1, 256));
  app.add_flag("--secure-aggregation", options.secure, "with keys, shares and masks");
}

StatusOr<v1::JobConfig> JobOf(const Options& options) {
  const auto loaded = config::Load<v1::JobConfig>(
      options.job, {.environment = {},
                    .command_line = {"model.architecture=" + options.model, "evaluation.every=0",
                                     "rounds=" + std::to_string(options.rounds),
                                     "cohort.size=" + std::to_string(options.per_round)}});
  if (!loaded.ok()) {
    return InvalidArgument(config::ToText(loaded.problems));
  }
  return loaded.value;
}

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double PeakMebibytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

StatusOr<nlohmann::json> Run(const Options& options) {
  TUTTI_ASSIGN(const v1::JobConfig config, JobOf(options));
  TUTTI_ASSIGN(const server::PreparedJob job, server::PrepareJob(config));
  v1::SimulationConfig world;
  config::SetDefaults(world);
  world.set_clients(options.clients);
  TUTTI_ASSIGN(simulate::Examples examples,
               simulate::LoadExamples({.data = options.folder, .test = "", .test_fraction = 0},
                                      config.model(), world));
  TUTTI_ASSIGN(const simulate::Population population,
               simulate::Population::Create(world, examples.clients, examples.owners));
  TUTTI_ASSIGN(auto data, simulate::LearningDataOf(config.model(), examples));
  TUTTI_ASSIGN(auto learners,
               simulate::NewLearners(config.model(), std::move(data), options.threads, ""));
  TUTTI_ASSIGN(simulate::Course course, simulate::Course::Start(job, {}));
  simulate::Observer observer;
  observer.seconds = Seconds;
  TUTTI_ASSIGN(
      const simulate::Report report,
      simulate::Simulate({job, world, population}, options.secure, learners, course, observer));
  return nlohmann::json{
      {"bench", "simulate"},
      {"model", options.model},
      {"clients", options.clients},
      {"per_round", options.per_round},
      {"rounds", report.rounds.size()},
      {"secure_aggregation", options.secure},
      {"client_rounds_per_second", static_cast<double>(report.client_rounds) / report.seconds},
      {"pure_training_seconds", report.training_seconds},
      {"seconds", report.seconds},
      // What the threads did besides training, or waited.
      {"overhead_fraction", options.threads * report.seconds / report.training_seconds - 1},
      {"peak_rss_mib", PeakMebibytes()},
      {"test_accuracy", report.rounds.back().test_accuracy.value_or(-1)},
      {"threads", options.threads},
      {"cores", std::thread::hardware_concurrency()},
      {"build", TUTTI_BUILD_TYPE}};
}

}  // namespace

int SimulateCommand(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Simulates federated averaging of MNIST models and prints one JSON line: trainings a second, "
      "and what the simulator adds to the training itself.",
      "tutti-bench simulate");
  AddOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  learn::SetUp(1);
  const StatusOr<nlohmann::json> line = Run(options);
  if (!line.ok()) {
    std::fprintf(stderr, "tutti-bench simulate: %s\n", TextOf(line.status()).c_str());
    return 1;
  }
  std::printf("%s\n", line->dump().c_str());
  return 0;
}

}  // namespace tutti::bench

#include "tests/bench/audit/audit_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/crypto/random.h"
#include "common/dp/calibration.h"
#include "common/learn/runtime.h"
#include "tests/bench/audit/experiment.h"

namespace tutti::bench {
namespace {

struct Options {
  audit::Experiment experiment;
  std::string job;
  std::string unit = "example", noise = "local", distribution = "discrete_gaussian";
  std::string sabotage = "none";
  double noise_multiplier = 1;
  double sampling_rate = 1;
  double clip_norm = 1;
};

void AddAttack(CLI::App& app, Options& options) {
  audit::Experiment& experiment = options.experiment;
  app.add_option("--canaries", experiment.canaries,
                 "examples, or clients, that are in the data or not by a fair coin each")
      ->check(CLI::Range(16, 1000000));
  app.add_option("--base", experiment.base, "examples that are always in the data")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--steps", experiment.steps,
                 "training steps, each one's update attacked by itself; unit client: 1")
      ->check(CLI::Range(1, 100000));
  app.add_option("--runs", experiment.runs, "repetitions with new coins, together one attack")
      ->check(CLI::Range(1, 1000));
  app.add_option("--delta", experiment.delta, "of claim and lower bounds");
  app.add_option("--failure", experiment.failure,
                 "probability that a lower bound is too high; 0.05: 95 % confidence")
      ->check(CLI::Range(1e-9, 0.5));
  app.add_option("--sabotage", options.sabotage,
                 "break the mechanism, not the claim: none, no-noise, quarter-noise, no-clipping, "
                 "always-sampled, fixed-batches, forgotten-share");
}

void AddMechanism(CLI::App& app, Options& options) {
  app.add_option("--job", options.job,
                 "job file: its model, privacy, learning rate and batch size; what stands on the "
                 "command line goes first");
  app.add_option("--model", options.experiment.model, "logistic, mlp or lenet")
      ->check(CLI::IsMember({"logistic", "mlp", "lenet"}));
  app.add_option("--unit", options.unit, "what one canary is: example or client")
      ->check(CLI::IsMember({"example", "client"}));
  app.add_option("--noise", options.noise, "local or distributed")
      ->check(CLI::IsMember({"local", "distributed"}));
  app.add_option("--distribution", options.distribution, "of noise in the sum")
      ->check(CLI::IsMember({"discrete_gaussian", "skellam"}));
  app.add_option("--noise-multiplier", options.noise_multiplier, "noise stddev / clip norm")
      ->check(CLI::PositiveNumber);
  app.add_option("--sampling-rate", options.sampling_rate, "of each example in a step")
      ->check(CLI::Range(1e-6, 1.0));
  app.add_option("--clip-norm", options.clip_norm, "of a gradient, or of a client's update")
      ->check(CLI::PositiveNumber);
  app.add_option("--learning-rate", options.experiment.learning_rate, "of a step")
      ->check(CLI::PositiveNumber);
  app.add_option("--clients", options.experiment.clients, "in a sum")->check(CLI::Range(2, 1000));
  app.add_option("--colluders", options.experiment.colluders, "of them")->check(CLI::Range(0, 999));
}

// What the job says where the command line says nothing.
Status ReadJob(const CLI::App& app, Options& options) {
  const auto loaded = config::Load<v1::JobConfig>(options.job);
  if (!loaded.ok()) {
    return InvalidArgument(config::ToText(loaded.problems));
  }
  const v1::JobConfig& job = loaded.value;
  const auto given = [&](const char* name) { return app.count(name) > 0; };
  audit::Experiment& experiment = options.experiment;
  if (!given("--model")) experiment.job_model = job.model();
  if (!given("--unit")) options.unit = job.privacy().unit();
  if (!given("--noise")) options.noise = job.privacy().noise();
  if (!given("--distribution")) options.distribution = job.privacy().distribution();
  if (!given("--clip-norm")) options.clip_norm = job.privacy().clip_norm();
  if (!given("--learning-rate")) experiment.learning_rate = job.training().learning_rate();
  if (!given("--delta")) experiment.delta = job.privacy().delta();
  const double examples = experiment.base + 0.5 * experiment.canaries;
  if (!given("--sampling-rate")) {
    options.sampling_rate = job.privacy().sampling_rate() > 0
                                ? job.privacy().sampling_rate()
                                : std::min(1.0, job.training().batch_size() / examples);
  }
  if (given("--noise-multiplier")) {
    return OkStatus();
  }
  options.noise_multiplier = job.privacy().noise_multiplier();
  if (options.noise_multiplier == 0) {
    TUTTI_ASSIGN(options.noise_multiplier,
                 dp::CalibrateNoise({job.privacy().target_epsilon(), experiment.delta},
                                    options.sampling_rate, experiment.steps));
  }
  return OkStatus();
}

double Rounded(double value) { return std::round(value * 1e4) / 1e4; }

nlohmann::json LineOf(const Options& options, const audit::Report& report, double seconds) {
  const audit::Experiment& experiment = options.experiment;
  const audit::Guesses& attack = report.one_run.attack;
  return {{"bench", "audit"},
          {"mechanism", report.mechanism},
          {"relation", report.relation},
          {"epsilon_claimed", Rounded(report.epsilon_claimed)},
          {"accountant", report.accountant},
          {"epsilon_rdp", Rounded(report.epsilon_rdp)},
          {"delta", experiment.delta},
          {"epsilon_lower", Rounded(report.one_run.epsilon)},
          {"epsilon_lower_gaussian", Rounded(report.epsilon_lower_gaussian)},
          {"confidence", 1 - experiment.failure},
          {"canaries", attack.canaries},
          {"guesses", attack.guesses},
          {"correct", attack.correct},
          {"noise_multiplier", experiment.privacy.noise_multiplier()},
          {"sampling_rate", experiment.privacy.sampling_rate()},
          {"steps", experiment.steps},
          {"model", experiment.job_model ? experiment.job_model->architecture() : experiment.model},
          {"sabotage", NameOf(experiment.sabotage)},
          {"seconds", Rounded(seconds)},
          {"cores", std::thread::hardware_concurrency()},
          {"build", TUTTI_BUILD_TYPE},
          {"version", TUTTI_VERSION}};
}

StatusOr<nlohmann::json> Line(const CLI::App& app, Options& options) {
  if (!options.job.empty()) {
    TUTTI_TRY(ReadJob(app, options));
  }
  audit::Experiment& experiment = options.experiment;
  TUTTI_ASSIGN(experiment.sabotage, audit::SabotageOf(options.sabotage));
  experiment.privacy.set_unit(options.unit);
  experiment.privacy.set_noise(options.noise);
  experiment.privacy.set_distribution(options.distribution);
  experiment.privacy.set_clip_norm(options.clip_norm);
  experiment.privacy.set_noise_multiplier(options.noise_multiplier);
  experiment.privacy.set_sampling_rate(options.unit == "client" ? 1 : options.sampling_rate);
  experiment.privacy.set_delta(experiment.delta);
  experiment.progress = [](const std::string& where) { std::cerr << "audit: " << where << "\n"; };
  crypto::SystemRng rng;
  const auto start = std::chrono::steady_clock::now();
  TUTTI_ASSIGN(const audit::Report report, audit::Run(experiment, rng, rng));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return LineOf(options, report, took.count());
}

}  // namespace

int AuditCommand(int count, char** words) {
  Options options;
  CLI::App app(
      "Attacks training with privacy: canaries are planted, their membership is guessed from the "
      "updates,\nand what the right guesses prove about epsilon is printed beside the claim "
      "(docs/privacy.md, \"Audit by attack\").\n"
      "  tutti-bench audit --noise-multiplier 2\n"
      "  tutti-bench audit --model mlp --sampling-rate 0.1 --steps 20 --sabotage quarter-noise\n"
      "  tutti-bench audit --unit client --noise distributed --sabotage forgotten-share",
      "tutti-bench audit");
  AddMechanism(app, options);
  AddAttack(app, options);
  CLI11_PARSE(app, count, words);
  learn::SetUp(1);
  const auto line = Line(app, options);
  if (!line.ok()) {
    std::cerr << "tutti-bench audit: " << TextOf(line.status()) << "\n";
    return 1;
  }
  std::printf("%s\n", line->dump().c_str());
  return 0;
}

}  // namespace tutti::bench

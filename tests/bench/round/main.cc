// tutti-bench: what rounds cost, one JSON line a run on standard output.
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "client/rpc/grpc_link.h"
#include "tests/bench/accountant/accountant_bench.h"
#include "tests/bench/noise/noise_bench.h"
#include "tests/bench/round/round_bench.h"
#include "tests/bench/round/secagg_line.h"

namespace {

// Each adds one command whose options fill `settings`.
CLI::App* AddRound(CLI::App& app, tutti::bench::RoundSettings& settings) {
  CLI::App* command = app.add_subcommand("round",
                                         "whole rounds: N protocol clients in this process "
                                         "against a real tutti-server over mutual TLS on the "
                                         "loopback, secure aggregation on, no training");
  command->add_option("--clients", settings.clients, "clients in every round")
      ->check(CLI::Range(2, 10000));
  command
      ->add_option("--values", settings.values,
                   "parameters of the model (rounded to what ten classes allow)")
      ->check(CLI::Range(20, 100000000));
  command->add_option("--rounds", settings.rounds, "measured rounds after the first")
      ->check(CLI::Range(1, 1000));
  command->add_option("--level", settings.level, "threat level")
      ->check(CLI::IsMember({"curious", "malicious"}));
  command->add_option("--threads", settings.threads, "threads of the load process")
      ->check(CLI::Range(1, 256));
  command->add_option("--limit", settings.limit_seconds, "seconds after which it gives up");
  return command;
}

CLI::App* AddPark(CLI::App& app, tutti::bench::ParkSettings& settings) {
  CLI::App* command = app.add_subcommand("park", "what waiting clients cost the coordinator");
  command->add_option("--clients", settings.clients, "parked clients")->check(CLI::Range(1, 10000));
  return command;
}

CLI::App* AddSecagg(CLI::App& app, tutti::bench::SecaggSettings& settings) {
  CLI::App* command = app.add_subcommand("secagg",
                                         "one round of secure aggregation without network: CPU of "
                                         "one core, bytes and memory of each side");
  command->add_option("--clients", settings.clients, "clients in the round")
      ->check(CLI::Range(2, 10000));
  command->add_option("--values", settings.values, "values of the vector")
      ->check(CLI::Range(1, 100000000));
  command
      ->add_option("--dropout", settings.dropout,
                   "share of the clients that leave before they upload")
      ->check(CLI::Range(0.0, 0.5));
  const std::map<std::string, tutti::secagg::ThreatLevel> levels{
      {"curious", tutti::secagg::ThreatLevel::kCurious},
      {"malicious", tutti::secagg::ThreatLevel::kMalicious}};
  command->add_option("--level", settings.level, "threat level")
      ->transform(CLI::CheckedTransformer(levels));
  command->add_option("--corrupt", settings.corrupt, "corrupt share the graph is chosen for")
      ->check(CLI::Range(0.0, 0.5));
  command
      ->add_option("--planned-dropout", settings.planned_dropout,
                   "share of dropouts the graph is chosen for")
      ->check(CLI::Range(0.0, 0.5));
  command->add_flag("--new-certificates", settings.new_certificates,
                    "level malicious: no certificate was seen before");
  return command;
}

// Models run in a program of their own, which alone is linked with LibTorch.
CLI::App* AddDpsgd(CLI::App& app, std::string& model, std::uint32_t& batch, std::string& method) {
  CLI::App* command =
      app.add_subcommand("dpsgd", "a step of DP-SGD against one without privacy: time and memory");
  command->add_option("--model", model, "which model")
      ->check(CLI::IsMember({"mlp", "lenet", "gnconv", "lstm"}));
  command->add_option("--batch", batch, "examples in the step")->check(CLI::Range(2, 65536));
  command->add_option("--method", method, "chosen as the trainer does, or this one")
      ->check(CLI::IsMember({"chosen", "vmap", "single examples"}));
  return command;
}

// A command whose options the program that does it reads.
CLI::App* AddLearn(CLI::App& app, const char* name, const char* help) {
  CLI::App* command = app.add_subcommand(name, help);
  command->prefix_command()->set_help_flag();
  return command;
}

int RunLearn(const std::string& programs, std::vector<std::string> words) {
  words.insert(words.begin(), programs + "/tutti-bench-learn");
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  std::fprintf(stderr, "tutti-bench: cannot run %s; build it: ninja tutti-bench-learn\n",
               arguments[0]);
  return 1;
}

CLI::App* AddAccountant(CLI::App& app, tutti::bench::AccountantSettings& settings) {
  CLI::App* command = app.add_subcommand(
      "accountant", "the privacy accountants: milliseconds on one core, each time from nothing");
  command->add_option("--sampling-rate", settings.sampling_rate, "above 0 and at most 1");
  command->add_option("--noise-multiplier", settings.noise_multiplier, "above 0");
  command->add_option("--steps", settings.steps, "noisy releases");
  command->add_option("--delta", settings.delta, "above 0 and below 1");
  command->add_option("--repetitions", settings.repetitions, "the least time counts")
      ->check(CLI::Range(1, 10000));
  return command;
}

int Print(const tutti::StatusOr<nlohmann::json>& line) {
  if (!line.ok()) {
    std::fprintf(stderr, "tutti-bench: %s\n", tutti::TextOf(line.status()).c_str());
    return 1;
  }
  std::printf("%s\n", line->dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  tutti::client_rpc::DemandTls13();
  // Many clients share this process: their vectors are used again instead of faulted in page by
  // page.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
  spdlog::set_level(spdlog::level::warn);  // a line for each attached client would drown the result
  const std::string programs =
      std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
  CLI::App app(
      "Measures Tutti; one JSON line a run on standard output.\n"
      "  tutti-bench round --clients 10 --values 1000000\n"
      "  tutti-bench park --clients 1000\n"
      "  tutti-bench secagg --clients 1000 --values 1000000 --dropout 0.1 --level malicious\n"
      "  tutti-bench dpsgd --model lenet --batch 256\n"
      "  tutti-bench train --job configs/jobs/benchmarks/scattering.toml\n"
      "  tutti-bench simulate --model lenet5 --clients 1000 --per-round 50\n"
      "  tutti-bench domain --job configs/jobs/finance/hmda.toml --client "
      "configs/jobs/finance/client.toml\n"
      "  tutti-bench audit --noise-multiplier 2 --canaries 2000\n"
      "  tutti-bench accountant",
      "tutti-bench");
  app.require_subcommand(1);
  app.set_version_flag("--version", TUTTI_VERSION);

  tutti::bench::RoundSettings round{.programs = programs};
  tutti::bench::ParkSettings park{.programs = programs};
  tutti::bench::SecaggSettings secagg;
  const CLI::App* round_command = AddRound(app, round);
  const CLI::App* secagg_command = AddSecagg(app, secagg);
  std::string model = "mlp";
  std::string method = "chosen";
  std::uint32_t batch = 64;
  const CLI::App* dpsgd_command = AddDpsgd(app, model, batch, method);
  tutti::bench::AccountantSettings accountant;
  const CLI::App* accountant_command = AddAccountant(app, accountant);
  AddPark(app, park);
  const std::vector<const CLI::App*> learn_commands = {
      AddLearn(app, "train", "a job on one data set: accuracy and epsilon"),
      AddLearn(app, "domain", "what sharing is worth on a table: central, alone, a given model"),
      AddLearn(app, "simulate", "trainings a second of simulated clients"),
      AddLearn(app, "audit",
               "epsilon from below: canaries are planted and attacked; options: audit --help")};
  const CLI::App* noise_command =
      app.add_subcommand("noise",
                         "milliseconds for a million values of secure noise, of the rotation and "
                         "of the encoding on one core");
  CLI11_PARSE(app, argc, argv);
  for (const CLI::App* command : learn_commands) {
    if (!command->parsed()) continue;
    std::vector<std::string> words = command->remaining();
    words.insert(words.begin(), command->get_name());
    return RunLearn(programs, std::move(words));
  }
  if (noise_command->parsed()) {
    return Print(tutti::bench::MeasureNoise());
  }
  if (dpsgd_command->parsed()) {
    return RunLearn(programs, {"dpsgd", model, std::to_string(batch), method});
  }
  if (accountant_command->parsed()) {
    return Print(tutti::bench::MeasureAccountant(accountant));
  }
  if (secagg_command->parsed()) {
    return Print(tutti::bench::SecaggLine(secagg));
  }
  return round_command->parsed() ? Print(tutti::bench::MeasureRounds(round))
                                 : Print(tutti::bench::MeasureParked(park));
}

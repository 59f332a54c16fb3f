// tutti-bench: what rounds cost, one JSON line a run on standard output.
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "client/rpc/grpc_link.h"
#include "tests/bench/round/round_bench.h"

namespace {

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
      "  tutti-bench park --clients 1000",
      "tutti-bench");
  app.require_subcommand(1);
  app.set_version_flag("--version", TUTTI_VERSION);

  tutti::bench::RoundSettings round{.programs = programs};
  CLI::App* round_command = app.add_subcommand("round",
                                               "whole rounds: N protocol clients in this process "
                                               "against a real tutti-server over mutual TLS on the "
                                               "loopback, secure aggregation on, no training");
  round_command->add_option("--clients", round.clients, "clients in every round")
      ->check(CLI::Range(2, 10000));
  round_command
      ->add_option("--values", round.values,
                   "parameters of the model (rounded to what ten classes allow)")
      ->check(CLI::Range(20, 100000000));
  round_command->add_option("--rounds", round.rounds, "measured rounds after the first")
      ->check(CLI::Range(1, 1000));
  round_command->add_option("--level", round.level, "threat level")
      ->check(CLI::IsMember({"curious", "malicious"}));
  round_command->add_option("--threads", round.threads, "threads of the load process")
      ->check(CLI::Range(1, 256));
  round_command->add_option("--limit", round.limit_seconds, "seconds after which it gives up");

  tutti::bench::ParkSettings park{.programs = programs};
  CLI::App* park_command = app.add_subcommand("park", "what waiting clients cost the coordinator");
  park_command->add_option("--clients", park.clients, "parked clients")
      ->check(CLI::Range(1, 10000));

  CLI11_PARSE(app, argc, argv);
  return round_command->parsed() ? Print(tutti::bench::MeasureRounds(round))
                                 : Print(tutti::bench::MeasureParked(park));
}

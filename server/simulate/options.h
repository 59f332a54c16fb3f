// The command line of `tutti simulate`. CLI11 stays in options.cc: its header is slow to compile.
// Thread safety: pure function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/simulate/examples.h"

namespace tutti::simulate {

struct Options {
  std::string job_file;
  std::vector<std::string> job_sets;        // over the job file, --per-round among them
  std::string profile;                      // simulation.toml; empty: its defaults
  std::vector<std::string> world_sets;      // over the profile, --clients, --seed, ... among them
  std::vector<std::string> adversary_sets;  // over the job's [adversary] when models are measured
  DataSettings data;
  std::string script_file;
  std::uint32_t threads = 0;  // 0: as many as there are cores
  bool secure = false;
  bool json = false;
  bool quiet = false;
  std::string csv_file, json_file, plot_file, checkpoint_file;
};

struct Parsed {
  bool go = false;
  Options options;
  int exit_code = 0;  // when there is nothing to do: 0 after help or version, 64 after a mistake
  std::string out;    // for standard output
  std::string error;  // for standard error
};

// `words` without the program's name.
Parsed Parse(const std::vector<std::string>& words);

}  // namespace tutti::simulate

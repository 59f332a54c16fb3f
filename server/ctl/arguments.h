// The command line of `tutti`. CLI11 stays in arguments.cc: its header is slow to compile.
// Thread safety: pure function of its arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tutti::ctl {

enum class Command {
  kStatus,
  kTokenCreate,
  kRun,
  kJobList,
  kJobShow,
  kJobReport,
  kJobStop,
  kJobResume,
  kJobWatch,
  kClientsList,
  kClientsRevoke,
  kClientsReadmit,
  kModelList,
  kModelExport,
  kModelCompress,
  kPrivacyEpsilon,
  kPrivacyCalibrate,
  kPrivacyCompose,
  kSimulate,
};

// How to reach the coordinator: the unix socket, or mutual TLS when `server` is set.
struct Endpoint {
  std::string socket{};
  std::string server{};  // host:port
  std::string ca{};      // files, PEM
  std::string certificate{};
  std::string key{};
};

// What `tutti privacy` is asked; the values are in their ranges, those a command needs are there.
struct PrivacyArguments {
  std::optional<double> noise_multiplier{};
  std::optional<double> sampling_rate{};
  std::optional<std::uint64_t> steps{};
  std::optional<double> delta{};
  std::optional<double> target_epsilon{};  // calibrate
  std::string accountant = "pld";          // pld, rdp or exact
  double interval = 0;                     // of the loss grid; 0: chosen by the range of epsilon
  std::string file{};                      // compose
  std::optional<std::string> data{};       // compose, of a ledger: one data set
  std::optional<std::string> unit{};       // likewise: example or client
  bool models = false;                     // likewise: against whoever sees only the models
};

// What `tutti model compress` does beside the words it shares with the other commands.
struct CompressArguments {
  bool int8 = false;
  double prune = 0;           // share of the weights, 0 <= . < 1
  std::string data{};         // measured on it: a client's file or a folder; empty: not measured
  std::string torchscript{};  // the file of a torchscript model
};

struct Arguments {
  Command command = Command::kStatus;
  Endpoint endpoint;
  bool json = false;
  std::string name;            // of a job, client or token's client
  std::string role;            // token create
  std::uint32_t lifetime = 0;  // token create, seconds; 0: the server's default
  std::string job_file;        // run; model compress with data
  std::vector<std::string> sets;
  bool watch = false;
  bool check_config = false;
  bool print_config = false;
  bool toml = false;   // job report
  std::string label;   // job report --toml: a column; may be empty
  std::string round;   // job report, model export and compress: a number, or empty: the newest; or
                       // "best"
  std::string output;  // model export and compress
  bool force = false;  // same: replace the files
  CompressArguments compress{};
  PrivacyArguments privacy{};
  std::vector<std::string> rest{};  // simulate: for the program that does it
};

struct Parsed {
  std::optional<Arguments> arguments;
  int exit_code = 0;  // without arguments: 0 after help or version, 64 (EX_USAGE) after a mistake
  std::string out;    // for standard output
  std::string error;  // for standard error
};

// `words` without the program's name.
Parsed Parse(const std::vector<std::string>& words);

}  // namespace tutti::ctl

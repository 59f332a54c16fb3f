#include "server/simulate/options.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "common/base/text.h"

namespace tutti::simulate {
namespace {

constexpr const char* kAbout =
    "Runs a job on simulated clients, in one process and on a virtual clock: the job's own "
    "cohorts,\n"
    "deadlines, training, clipping, noise and server optimiser, without a coordinator. The file "
    "is\n"
    "the one that is deployed later.\n"
    "Everything random follows from the seed, noise too: it protects nobody's data.";

constexpr const char* kExamples =
    "Examples:\n"
    "  tutti simulate job.toml --data client.toml --clients 1000 --per-round 50\n"
    "  tutti simulate job.toml --data client.toml --profile simulation.toml --plot run.svg\n"
    "  tutti simulate job.toml --data client.toml --partition dirichlet --alpha 0.1 \\\n"
    "      --set training.learning_rate=0.1 --set rounds=50 --csv run.csv\n"
    "Exit codes: 0 done, 1 the job failed or the data does not fit, 64 wrong usage, 78 a\n"
    "configuration is wrong, 130 stopped by Ctrl-C (results so far are written).";

// Flags that stand for keys of a file.
struct Short {
  std::string per_round, clients, seed, partition, alpha, column;
};

void AddWorld(CLI::App& app, Options& options, Short& keys) {
  app.add_option("--profile", options.profile,
                 "the clients' world, see configs/simulation.toml; default: that file's values");
  app.add_option("--clients", keys.clients, "enrolled clients; default: the profile's, 1000");
  app.add_option("--per-round", keys.per_round, "cohort.size of the job");
  app.add_option("--seed", keys.seed, "of everything random");
  app.add_option("--partition", keys.partition, "how examples are dealt out")
      ->check(CLI::IsMember({"iid", "dirichlet", "column"}));
  app.add_option("--alpha", keys.alpha, "dirichlet: smaller is more uneven");
  app.add_option("--column", keys.column, "column: the csv column whose cells are the clients");
  app.add_option("--set-profile", options.world_sets,
                 "section.key=value over the profile; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--secure-aggregation", options.secure,
               "run the protocol too, with keys, shares and masks: slower, the same models");
}

void AddData(CLI::App& app, Options& options) {
  app.add_option("--data", options.data.data,
                 "a client's file (client.toml: its [data] without the slice), or a folder of the "
                 "MNIST family")
      ->required();
  app.add_option("--test", options.data.test,
                 "the same for what models are measured on; default: the folder's test set, else a "
                 "part of the data");
  app.add_option("--test-fraction", options.data.test_fraction,
                 "that part; 0: models are not measured")
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--adversary", options.adversary_sets,
                 "key=value over the job's [adversary] when models are measured, not in training; "
                 "may be repeated")
      ->allow_extra_args(false);
  app.add_option("--torchscript", options.script_file, "the file of a torchscript model");
}

void AddOutput(CLI::App& app, Options& options) {
  app.add_flag("--json", options.json, "print one JSON document, for programs");
  app.add_option("--json-file", options.json_file, "write that document here");
  app.add_option("--csv", options.csv_file, "write one line a round here");
  app.add_option("--plot", options.plot_file, "draw accuracy and loss here (SVG)");
  app.add_option("--checkpoint", options.checkpoint_file,
                 "write the last model here (safetensors)");
  app.add_flag("--quiet", options.quiet, "print no line a round");
  app.add_option("--threads", options.threads, "that train; default: one a core")
      ->check(CLI::Range(1, 256));
}

void Take(const std::string& key, const std::string& value, std::vector<std::string>& sets) {
  if (!value.empty()) {
    sets.push_back(key + "=" + value);
  }
}

}  // namespace

Parsed Parse(const std::vector<std::string>& words) {
  Parsed parsed;
  Options& options = parsed.options;
  Short keys;
  CLI::App app(kAbout, "tutti simulate");
  app.footer(kExamples);
  app.set_version_flag("--version", std::string("tutti ") + TUTTI_VERSION);
  app.add_option("JOB.toml", options.job_file, "the job file, as `tutti run` takes it")->required();
  app.add_option("--set", options.job_sets, "section.key=value over the job file; may be repeated")
      ->allow_extra_args(false);
  AddWorld(app, options, keys);
  AddData(app, options);
  AddOutput(app, options);
  std::vector<std::string> reversed(words.rbegin(), words.rend());  // as CLI11 wants them
  try {
    app.parse(reversed);
    parsed.go = true;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream problems;
    parsed.exit_code = app.exit(error, out, problems) == 0 ? 0 : 64;
    parsed.out = out.str();
    parsed.error = problems.str();
    return parsed;
  }
  Take("cohort.size", keys.per_round, options.job_sets);
  Take("clients", keys.clients, options.world_sets);
  Take("seed", keys.seed, options.world_sets);
  Take("partition.kind", keys.partition, options.world_sets);
  Take("partition.alpha", keys.alpha, options.world_sets);
  Take("partition.column", keys.column, options.world_sets);
  return parsed;
}

}  // namespace tutti::simulate

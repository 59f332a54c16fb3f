// tutti-client: the daemon beside the data, and its owner's commands.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "client/daemon.h"
#include "client/join.h"
#include "client/main_data_report.h"
#include "client/main_report.h"
#include "client/policy/noise_source.h"
#include "client/rpc/grpc_link.h"
#include "common/config/validate.h"
#include "common/crypto/random.h"
#include "common/log/log.h"
#include "common/platform/memory.h"

namespace tutti::client {
namespace {

constexpr char kIntroduction[] =
    "Trains on this device's data for a Tutti coordinator. Data never leaves the device; updates "
    "leave it only masked, "
    "so that the coordinator learns their sum. What may be spent of the data's privacy is the "
    "owner's decision "
    "(policy.toml) and is written to this device's ledger before anything leaves.";
constexpr char kFirstSteps[] =
    "First steps:\n"
    "  tutti-client join TOKEN --state DIR      with a token from the operator (tutti token "
    "create)\n"
    "  tutti-client data inspect --config client.toml  what the data holds, and what is wrong with "
    "it\n"
    "  tutti-client run --config client.toml    start the daemon; Ctrl-C ends it\n"
    "  tutti-client status --config client.toml what has been spent so far\n"
    "Exit codes: 0 well, 70 internal error, 74 input or output, 77 permission, 78 configuration.";

struct Options {
  std::string config_file, state_directory;
  std::vector<std::string> sets;
  bool check_config = false, print_config = false, json = false, accept_ledger_reset = false;
  JoinSettings join;
  std::string expected_role;
};

struct Settings {
  config::Loaded<v1::ClientConfig> client;
  config::Loaded<v1::PolicyConfig> policy;
  std::vector<config::Problem> Problems() const {
    std::vector<config::Problem> all = client.problems;
    all.insert(all.end(), policy.problems.begin(), policy.problems.end());
    return all;
  }
};

// Both files, so that all their problems are listed at once. Overrides are for client.toml.
Settings LoadSettings(const Options& options) {
  Settings settings;
  settings.client = config::Load<v1::ClientConfig>(
      options.config_file, {.environment = config::Environment(), .command_line = options.sets});
  if (!settings.client.value.policy_file().empty()) {
    settings.policy = config::Load<v1::PolicyConfig>(settings.client.value.policy_file());
  }
  return settings;
}

int RunCommand(const Options& options) {
  const Settings settings = LoadSettings(options);
  if (const std::vector<config::Problem> problems = settings.Problems(); !problems.empty()) {
    std::cerr << config::ToText(problems);
    return config::ExitCode(problems);
  }
  const v1::ClientConfig& client = settings.client.value;
  if (options.print_config) {
    std::cout << "# " << options.config_file << "\n"
              << config::PrintEffective(client, settings.client.origins) << "\n# "
              << client.policy_file() << "\n"
              << config::PrintEffective(settings.policy.value, settings.policy.origins);
    return kExitOk;
  }
  if (const Status source = policy::CheckNoiseSource(settings.policy.value, client.trainer());
      !source.ok()) {
    std::cerr << "tutti-client: " << TextOf(source) << "\n";
    return kExitPermission;
  }
  if (options.check_config) {
    std::cout << "configuration ok\n";
    return kExitOk;
  }
  if (const Status logging = log::Setup(client.log(), "tutti-client"); !logging.ok()) {
    std::cerr << "tutti-client: " << TextOf(logging) << "\n";
    return kExitConfig;
  }
  return RunDaemon(client, settings.policy.value, options.accept_ledger_reset);
}

int JoinCommand(const Options& options) {
  crypto::SystemRng rng;
  JoinSettings settings = options.join;
  settings.state_directory = options.state_directory;
  const StatusOr<Joined> joined = Join(settings, rng);
  if (!joined.ok()) {
    std::cerr << "tutti-client: " << TextOf(joined.status()) << "\n";
    return ExitCodeFor(joined.status());
  }
  std::cout << "joined as " << joined->name << " (" << joined->role << "), coordinator "
            << joined->server << "\n"
            << "keys and certificate are in " << options.state_directory
            << "/pki; keep that folder private\n"
            << "next: set state_directory = \"" << options.state_directory
            << "\" in client.toml and run: tutti-client run --config client.toml\n";
  if (!options.expected_role.empty() && options.expected_role != joined->role) {
    std::cerr << "tutti-client: the token gives the role " << joined->role << ", not "
              << options.expected_role << "; ask the operator for a token with that role\n";
    return kExitConfig;
  }
  return kExitOk;
}

using Report = int (*)(const ReportSettings&, std::ostream&, std::ostream&);

int ReportCommand(const Options& options, Report report) {
  if (options.config_file.empty()) {
    if (options.state_directory.empty()) {
      std::cerr << "tutti-client: name the device's state with --config FILE or --state DIR\n";
      return kExitConfig;
    }
    return report(
        {.state_directory = options.state_directory, .policy = nullptr, .json = options.json},
        std::cout, std::cerr);
  }
  const Settings settings = LoadSettings(options);
  if (const std::vector<config::Problem> problems = settings.Problems(); !problems.empty()) {
    std::cerr << config::ToText(problems);
    return config::ExitCode(problems);
  }
  return report({.state_directory = settings.client.value.state_directory(),
                 .policy = &settings.policy.value,
                 .json = options.json},
                std::cout, std::cerr);
}

// A report on the data alone: what is wrong elsewhere in client.toml is said and does not stop it.
int InspectCommand(const Options& options) {
  const auto loaded = config::Load<v1::ClientConfig>(
      options.config_file, {.environment = config::Environment(), .command_line = options.sets});
  if (!loaded.ok()) std::cerr << config::ToText(loaded.problems);
  const v1::DataConfig& data = loaded.value.data();
  if (!loaded.ok() && data.file().empty() && data.images().empty()) {
    return config::ExitCode(loaded.problems);
  }
  const StatusOr<data::Inspection> inspection = data::Inspect(data);
  if (!inspection.ok()) {
    std::cerr << "tutti-client: " << TextOf(inspection.status()) << "\n";
    return ExitCodeFor(inspection.status());
  }
  std::cout << (options.json ? JsonOfInspection(data, *inspection)
                             : TextOfInspection(data, *inspection));
  if (!loaded.ok()) return config::ExitCode(loaded.problems);
  return IsUsable(*inspection) ? kExitOk : kExitConfig;
}

void AddData(CLI::App& app, Options& options, int& exit_code) {
  CLI::App* data = app.add_subcommand("data", "This device's data, for its owner");
  data->require_subcommand(1);
  CLI::App* inspect = data->add_subcommand(
      "inspect",
      "What the data holds, what preparation makes of it and what stands in the way of training. "
      "Needs no job and no coordinator; nothing of it is sent anywhere");
  inspect->add_option("--config", options.config_file, "client.toml")->required();
  inspect
      ->add_option("--set", options.sets,
                   "Override one key, for instance --set data.slice.index=2; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  inspect->add_flag("--json", options.json, "For programs");
  inspect->callback([&] { exit_code = InspectCommand(options); });
}

void AddRun(CLI::App& app, Options& options, int& exit_code) {
  CLI::App* run = app.add_subcommand(
      "run", "Start the daemon: wait for the coordinator, train when asked and allowed");
  run->add_option("--config", options.config_file,
                  "client.toml; configs/client.toml shows every key")
      ->required();
  run->add_option("--set", options.sets,
                  "Override one key, for instance --set trainer.threads=2; text stands without "
                  "quotes, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  run->add_flag("--check-config", options.check_config,
                "List every problem of client.toml and policy.toml, start nothing");
  run->add_flag("--print-config", options.print_config,
                "Print the effective values and where each comes from");
  run->add_flag(
      "--accept-ledger-reset", options.accept_ledger_reset,
      "Start although the privacy ledger is damaged, missing or older than it was: intact "
      "records are kept, the rest of what was spent is forgotten. The owner's decision, "
      "never needed after a crash");
  run->callback([&] { exit_code = RunCommand(options); });
}

void AddJoin(CLI::App& app, Options& options, int& exit_code) {
  CLI::App* join =
      app.add_subcommand("join", "Enrol this device: make its keys and get its certificate");
  join->add_option("token", options.join.token, "The operator's join token; works once")
      ->required()
      ->type_name("TOKEN");
  join->add_option("--state", options.state_directory,
                   "Folder for keys, certificate and ledger; made when missing")
      ->required();
  join->add_option("--name", options.join.name,
                   "Wanted name, 1 to 64 of a-z 0-9 . _ -; default: this machine's. A "
                   "name in the token wins");
  join->add_option("--role", options.expected_role,
                   "Say so when the token gives another role than this")
      ->check(CLI::IsMember({"trainer", "evaluator"}));
  join->callback([&] { exit_code = JoinCommand(options); });
}

void AddReport(CLI::App& parent, const char* name, const char* help, Report report,
               Options& options, int& exit_code) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_option("--config", options.config_file, "client.toml");
  command->add_option("--state", options.state_directory,
                      "The state folder itself, instead of --config");
  command->add_flag("--json", options.json, "For programs");
  command->callback([&options, &exit_code, report] { exit_code = ReportCommand(options, report); });
}

int Main(int argc, char** argv) {
  CLI::App app(kIntroduction, "tutti-client");
  app.footer(kFirstSteps);
  app.set_version_flag("--version", "tutti-client " TUTTI_VERSION);
  app.require_subcommand(1);
  Options options;
  int exit_code = kExitOk;
  AddJoin(app, options, exit_code);
  AddRun(app, options, exit_code);
  AddData(app, options, exit_code);
  AddReport(app, "status", "Identity, certificate and what was spent; works beside the daemon",
            PrintStatus, options, exit_code);
  CLI::App* ledger =
      app.add_subcommand("ledger", "The record of everything that ever left this device");
  ledger->require_subcommand(1);
  AddReport(*ledger, "show", "One line an entry", PrintLedger, options, exit_code);
  AddReport(*ledger, "verify", "Check that no entry was changed, removed or reordered",
            PrintLedgerCheck, options, exit_code);
  AddReport(*ledger, "export", "All entries, one JSON object a line", ExportLedger, options,
            exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kExitOk : kExitConfig;
  }
  return exit_code;
}

}  // namespace
}  // namespace tutti::client

int main(int argc, char** argv) {
  tutti::platform::TuneAllocator();
  tutti::client_rpc::DemandTls13();
  ::setenv("GRPC_VERBOSITY", "NONE",
           0);  // its lines would stand beside ours; an owner's setting stays
  return tutti::client::Main(argc, argv);
}

// tutti-server: the coordinator. `init` makes its certificates, `run` serves.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/log/log.h"
#include "common/platform/clock.h"
#include "common/platform/memory.h"
#include "common/platform/signals.h"
#include "server/daemon.h"
#include "server/rpc/servers.h"

namespace tutti::server {
namespace {

// sysexits.h, as in docs/operations.md.
constexpr int kExitUnavailable = 69;
constexpr int kExitInternal = 70;
constexpr int kExitNotSetUp = 72;
constexpr int kExitFiles = 74;
constexpr int kExitBusy = 75;
constexpr int kExitPermission = 77;
constexpr int kExitConfig = 78;

int ExitCodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return 0;
    case StatusCode::kAborted:
      return kExitBusy;
    case StatusCode::kUnavailable:
      return kExitUnavailable;
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnauthenticated:
      return kExitPermission;
    case StatusCode::kNotFound:
    case StatusCode::kAlreadyExists:
      return kExitNotSetUp;
    case StatusCode::kInvalidArgument:
      return kExitConfig;
    case StatusCode::kDataLoss:
    case StatusCode::kResourceExhausted:
    case StatusCode::kFailedPrecondition:
      return kExitFiles;
    default:
      return kExitInternal;
  }
}

int Fail(const Status& status) {
  std::cerr << "tutti-server: " << TextOf(status) << "\n";
  return ExitCodeOf(status);
}

struct RunOptions {
  std::string config_file;
  std::string state_directory;
  std::vector<std::string> sets;
  bool check = false;
  bool print = false;
};

config::Loaded<v1::ServerConfig> LoadConfig(const RunOptions& options) {
  config::Overrides overrides{.environment = config::Environment(), .command_line = options.sets};
  if (!options.state_directory.empty()) {
    overrides.command_line.push_back("state_directory=" + options.state_directory);
  }
  if (!options.config_file.empty()) {
    return config::Load<v1::ServerConfig>(options.config_file, overrides);
  }
  config::Loaded<v1::ServerConfig> loaded;
  config::LoadResult result = config::LoadText("", "command line", loaded.value, overrides);
  config::Validate(loaded.value, result);
  loaded.problems = std::move(result.problems);
  loaded.origins = std::move(result.origins);
  return loaded;
}

int Run(const RunOptions& options) {
  const auto loaded = LoadConfig(options);
  if (!loaded.ok()) {
    std::cerr << config::ToText(loaded.problems);
    return config::ExitCode(loaded.problems);
  }
  if (options.print) {
    std::cout << config::PrintEffective(loaded.value, loaded.origins);
  }
  if (options.check && !options.print) {
    std::cout << "the configuration is complete and has no contradictions\n";
  }
  if (options.check || options.print) {
    return 0;
  }
  const platform::RealClock clock;
  StatusOr<platform::ShutdownSignals> signals = platform::ShutdownSignals::Open();
  if (!signals.ok()) {
    return Fail(signals.status());
  }
  if (const Status status = log::Setup(loaded.value.log(), "tutti-server"); !status.ok()) {
    return Fail(status);
  }
  platform::RaiseFileLimit();
  StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(loaded.value, clock);
  if (!daemon.ok()) {
    return Fail(daemon.status());
  }
  while (true) {
    const int signal = signals->Wait(Milliseconds(-1));
    if (signal == SIGHUP) {
      log::Warn("SIGHUP: the configuration is read at the start only; restart to change it");
    } else if (signal != 0) {
      log::Info("stopping", {{"signal", signal}});
      break;
    }
  }
  (*daemon)->Stop();
  return 0;
}

int Init(const InitSettings& settings) {
  const platform::RealClock clock;
  if (const Status status = InitStateDirectory(settings, clock); !status.ok()) {
    return Fail(status);
  }
  const std::string& state = settings.state_directory;
  std::cout << "Made a certificate authority and the operator's certificate in " << state
            << "/pki.\nKeep " << state
            << "/pki/ca.key secret: whoever has it can enrol clients.\n\nNext:\n"
            << "  tutti-server run --state " << state << "\n"
            << "  tutti --socket " << state
            << "/admin.sock token create     # one for each client\n"
            << "  tutti-client join TOKEN                  # on the client's machine\n"
            << "  tutti --socket " << state << "/admin.sock run JOB.toml --watch\n";
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "The coordinator of federated learning: it invites clients, adds up their masked updates "
      "and\n"
      "publishes models. It never sees a single client's update.\n\n"
      "A first run:\n"
      "  tutti-server init --state ./coordinator\n"
      "  tutti-server run --state ./coordinator\n"
      "Then, in another terminal: tutti token create, tutti-client join, tutti run (see tutti "
      "--help).",
      "tutti-server"};
  app.set_version_flag("--version", "tutti-server " TUTTI_VERSION);
  app.require_subcommand(1);

  InitSettings init_settings;
  CLI::App* init = app.add_subcommand(
      "init",
      "Make the state directory with a private certificate authority, the server's and the "
      "operator's certificates. Refuses to touch an existing authority.");
  init->add_option("--state", init_settings.state_directory, "the directory to make")->required();
  init->add_option("--name", init_settings.public_names,
                   "a name or address clients use for this server; may be given several times "
                   "(this machine's name and localhost are always there)");
  CLI::Option* ca_file =
      init->add_option("--ca-cert", init_settings.ca_certificate_file,
                       "use this CA certificate (PEM, Ed25519) instead of making one");
  CLI::Option* ca_key =
      init->add_option("--ca-key", init_settings.ca_key_file, "its private key (PEM, PKCS#8)");
  ca_file->needs(ca_key);
  ca_key->needs(ca_file);

  RunOptions run_options;
  CLI::App* run = app.add_subcommand(
      "run",
      "Serve until SIGTERM or SIGINT. Jobs go on where they were left. Every key is explained "
      "in configs/server.toml.");
  run->add_option("--config", run_options.config_file, "configuration file (configs/server.toml)");
  run->add_option("--state", run_options.state_directory,
                  "state directory; stands for --set state_directory=...");
  run->add_option(
      "--set", run_options.sets,
      "section.key=value, stronger than file and environment; text stands without quotes, may be "
      "repeated");
  run->add_flag("--check-config", run_options.check,
                "check the configuration, list every problem, exit");
  run->add_flag("--print-config", run_options.print,
                "print every effective value and where it comes from, exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 64;
  }
  return init->parsed() ? Init(init_settings) : Run(run_options);
}

}  // namespace
}  // namespace tutti::server

int main(int argc, char** argv) {
  tutti::platform::TuneAllocator();
  tutti::rpc::PrepareEnvironment();
  return tutti::server::Main(argc, argv);
}

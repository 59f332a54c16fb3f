// tutti-evil-coordinator: a coordinator that lies, for tests only. It has the state directory of a
// real one (so its certificates), plays the attacks of its command line against the real clients
// that attach, and writes one JSON line for each (tests/e2e/evil/scene.h).
//   --state DIR --address HOST:PORT --job FILE --report FILE [--set KEY=VALUE]...
//   [--certificate other-name|other-ca] [--refuse-attaches MILLISECONDS] [VICTIM:ATTACK]...
// It ends when all is played, or on SIGTERM when there is nothing to play.
#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <iostream>

#include "common/config/validate.h"
#include "tests/e2e/evil/scene.h"

namespace tutti::evil {
namespace {

struct Options {
  std::string state, address, job, report, certificate, refusal;
  std::vector<std::string> sets, plan;
};

int Fail(std::string_view text) {
  std::cerr << "tutti-evil-coordinator: " << text << "\n";
  return 1;
}

// What the server shows its clients: its own certificate, or one they must not take.
StatusOr<grpc::SslServerCredentialsOptions> CredentialsOf(const server::Pki& pki,
                                                          const std::string& kind,
                                                          WallSeconds now) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = pki.authority.ca_pem;
  if (kind.empty()) {
    options.pem_key_cert_pairs.push_back({pki.server_key_pem, pki.server_pem});
    return options;
  }
  crypto::SystemRng rng;
  const crypto::KeyPair own = crypto::NewKeyPair(rng);
  crypto::KeyPair ca{.key = pki.authority.ca_key, .public_key = {}};
  std::string ca_pem = pki.authority.ca_pem;
  crypto::ServerNames names{.dns = {"localhost"}, .ip = {"127.0.0.1"}};
  if (kind == "other-ca") {
    ca = crypto::NewKeyPair(rng);
    TUTTI_ASSIGN(ca_pem, crypto::NewCaCertificatePem(ca, "nobody's CA", now, 5));
  } else {
    names = {.dns = {"elsewhere.example"}, .ip = {"192.0.2.1"}};
  }
  TUTTI_ASSIGN(
      const std::string pem,
      crypto::IssueForKey(
          ca.key, ca_pem, own.public_key,
          {.name = "elsewhere", .role = "server", .server_names = names, .now = now, .days = 5}));
  options.pem_key_cert_pairs.push_back({crypto::PrivateKeyPem(own.key), pem});
  return options;
}

int Play(Cast& cast, const Options& options) {
  std::ofstream report(options.report);
  for (const std::string& line : options.plan) {
    const std::size_t colon = line.find(':');
    const Attack* const attack =
        colon == std::string::npos ? nullptr : FindAttack(line.substr(colon + 1));
    if (attack == nullptr) return Fail("no such attack: " + line);
    report << Scene(cast, line.substr(0, colon), *attack).Play().dump() << std::endl;
  }
  return 0;
}

int Run(const Options& options) {
  ::signal(SIGPIPE, SIG_IGN);
  const platform::RealClock clock;
  StatusOr<server::Pki> pki = server::LoadPki(options.state, {"localhost", "127.0.0.1"}, clock);
  if (!pki.ok()) return Fail(TextOf(pki.status()));
  const auto credentials = CredentialsOf(*pki, options.certificate, clock.Wall());
  if (!credentials.ok()) return Fail(TextOf(credentials.status()));
  const auto loaded =
      config::Load<v1::JobConfig>(options.job, {.environment = {}, .command_line = options.sets});
  if (!loaded.ok()) return Fail(config::ToText(loaded.problems));
  StatusOr<server::PreparedJob> job = server::PrepareJob(loaded.value);
  if (!job.ok()) return Fail(TextOf(job.status()));

  Service service;
  if (!options.refusal.empty()) service.RefuseAttaches(1, options.refusal);
  Cast cast(*std::move(pki), *std::move(job), service);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, grpc::SslServerCredentials(*credentials));
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return Fail("cannot listen on " + options.address);
  std::cout << "listening" << std::endl;
  const int code = Play(cast, options);
  if (options.plan.empty()) {
    for (;;) ::pause();
  }
  service.Stop();
  server->Shutdown(std::chrono::system_clock::now());
  return code;
}

int Main(int argc, char** argv) {
  CLI::App app{"A coordinator that lies, for tests.", "tutti-evil-coordinator"};
  Options options;
  app.add_option("--state", options.state)->required();
  app.add_option("--address", options.address)->required();
  app.add_option("--job", options.job)->required();
  app.add_option("--report", options.report)->required();
  app.add_option("--set", options.sets)->allow_extra_args(false);
  app.add_option("--certificate", options.certificate);
  app.add_option("--refuse-attaches", options.refusal);
  app.add_option("plan", options.plan);
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}

}  // namespace
}  // namespace tutti::evil

int main(int argc, char** argv) { return tutti::evil::Main(argc, argv); }

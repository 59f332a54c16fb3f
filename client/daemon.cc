#include "client/daemon.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <optional>

#include "client/blas_check.h"
#include "client/books.h"
#include "client/data/columns.h"
#include "client/identity.h"
#include "client/metrics.h"
#include "client/rpc/grpc_link.h"
#include "client/runtime.h"
#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "common/http/page_server.h"
#include "common/log/log.h"
#include "common/platform/clock.h"
#include "common/platform/files.h"
#include "common/platform/memory.h"
#include "common/platform/signals.h"

namespace tutti::client {
namespace {

constexpr WallSeconds kExpiryWarning = 30 * 24 * 60 * 60;
constexpr std::uint64_t kMaxPolicyBytes = 1 << 20;

int Refuse(const Status& status) {
  log::Error("cannot_start", {{"reason", status}});
  return ExitCodeFor(status);
}

StatusOr<Identity> IdentityFor(const v1::ClientConfig& config, WallSeconds now) {
  if (config.insecure_loopback()) return InsecureIdentity(config.state_directory(), config.role());
  TUTTI_ASSIGN(Identity identity, LoadIdentity(config.state_directory(), now));
  if (identity.role != config.role()) {
    return FailedPrecondition(Join("this device was enrolled as ", identity.role,
                                   ", the configuration says role = \"", config.role(),
                                   "\"; change it or join with a token of that role"));
  }
  return identity;
}

StatusOr<Books> OpenBooks(const v1::ClientConfig& config, const v1::PolicyConfig& policy,
                          const Identity& identity, const Clock& clock, bool accept_ledger_reset) {
  TUTTI_ASSIGN(const Bytes policy_text, platform::ReadFile(config.policy_file(), kMaxPolicyBytes));
  return Books::Open({.state_directory = config.state_directory(),
                      .coordinator = identity.ca_fingerprint,
                      .data_identity = config.data().identity(),
                      .policy = policy,
                      .policy_hash = crypto::Sha256(policy_text),
                      .local_statistics = data::LocalStatistics(config.data()),
                      .accept_ledger_reset = accept_ledger_reset},
                     clock);
}

void WarnEarly(const v1::ClientConfig& config, const Identity& identity, const Books& books,
               WallSeconds now) {
  for (const std::string& warning : books.warnings()) log::Warn("ledger", {{"text", warning}});
  if (identity.not_after != 0 && identity.not_after - now < kExpiryWarning) {
    log::Warn("certificate_expires_soon", {{"at", DateText(identity.not_after)},
                                           {"fix", "ask the operator for a new join token"}});
  }
  if (config.insecure_loopback())
    log::Warn("insecure_loopback", {{"effect", "no encryption, no certificates"}});
  if (const auto keys = data::LocalStatistics(config.data()); !keys.empty()) {
    log::Info("statistics_of_own_examples",
              {{"keys", JoinWith(keys, ", ")},
               {"effect", "jobs with privacy.unit = \"example\" are refused"},
               {"fix", "public data.csv.means and stddevs"}});
  }
  if (config.trainer().insecure_noise_seed() != 0) {
    log::Warn(
        "insecure_noise_seed",
        {{"effect", "batches and noise can be predicted: NO epsilon of this client's ledger holds"},
         {"fix", "remove trainer.insecure_noise_seed before training on real data"}});
  }
  if (const std::optional<std::string> blas = ReferenceBlas()) {
    log::Error("slow_blas",
               {{"found", *blas},
                {"effect", "LibTorch trains 20 to 80 times slower with the reference BLAS"},
                {"fix", "apt-get install libopenblas0-pthread"}});
  }
}

// Null when the address is "off".
StatusOr<std::unique_ptr<http::PageServer>> StartPages(const std::string& address,
                                                       const Runtime& runtime,
                                                       const client_rpc::GrpcLink& link) {
  if (address == "off") return std::unique_ptr<http::PageServer>();
  TUTTI_ASSIGN(
      std::unique_ptr<http::PageServer> pages,
      http::PageServer::Start(
          address, [&runtime, &link] { return MetricsText(runtime.counters(), link.counts()); },
          [] { return true; }));
  log::Info("metrics", {{"address", address}, {"port", pages->port()}});
  return pages;
}

client_rpc::LinkSettings LinkSettingsFor(const v1::ClientConfig& config, const Identity& identity,
                                         std::string address) {
  return {.address = std::move(address),
          .ca_pem = identity.ca_pem,
          .certificate_pem = identity.certificate_pem,
          .key_pem = identity.key_pem,
          .insecure_name = config.insecure_loopback() ? identity.name : "",
          .role = config.role(),
          .software = "tutti-client " TUTTI_VERSION};
}

}  // namespace

ExitCode ExitCodeFor(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kPermissionDenied:
      return kExitPermission;
    case StatusCode::kDataLoss:
    case StatusCode::kUnavailable:
    case StatusCode::kResourceExhausted:
    case StatusCode::kAborted:
      return kExitIo;
    case StatusCode::kInternal:
      return kExitInternal;
    default:
      return kExitConfig;
  }
}

int RunDaemon(const v1::ClientConfig& config, const v1::PolicyConfig& policy,
              bool accept_ledger_reset) {
  StatusOr<platform::ShutdownSignals> signals = platform::ShutdownSignals::Open();
  if (!signals.ok()) return Refuse(signals.status());
  const platform::RealClock clock;
  crypto::SystemRng rng;
  const StatusOr<Identity> identity = IdentityFor(config, clock.Wall());
  if (!identity.ok()) return Refuse(identity.status());
  if (const Status made = platform::MakeDirectory(config.state_directory(), 0700); !made.ok())
    return Refuse(made);
  StatusOr<std::string> address = config.server();
  if (address->empty()) address = LoadServerAddress(config.state_directory());
  if (!address.ok()) return Refuse(address.status());
  StatusOr<Books> books = OpenBooks(config, policy, *identity, clock, accept_ledger_reset);
  if (!books.ok()) return Refuse(books.status());
  WarnEarly(config, *identity, *books, clock.Wall());

  std::atomic<int> exit_code{kExitOk};
  client_rpc::GrpcLink link(LinkSettingsFor(config, *identity, *address));
  Runtime runtime({.config = config, .policy = policy, .identity = *identity}, *std::move(books),
                  link, clock, rng, [&exit_code](const Status&) {
                    exit_code = kExitIo;
                    ::kill(::getpid(), SIGTERM);  // taken by the signal descriptor below
                  });
  const auto pages = StartPages(config.metrics_address(), runtime, link);
  if (!pages.ok()) return Refuse(pages.status());
  log::Info("started", {{"client", identity->name},
                        {"role", config.role()},
                        {"server", *address},
                        {"version", TUTTI_VERSION}});
  link.Start([&runtime](protocol::Notice notice) { runtime.Post(std::move(notice)); });
  platform::ReleaseFreeMemory();
  while (signals->Wait(Milliseconds(-1)) == SIGHUP) {
    log::Warn("hangup_ignored", {{"fix", "restart tutti-client to apply a changed configuration"}});
  }
  log::Info("stopping");
  runtime.Stop();
  link.Stop();
  return exit_code;
}

}  // namespace tutti::client

#include "server/daemon.h"

#include <unistd.h>

#include <optional>
#include <thread>

#include "common/base/text.h"
#include "common/config/validate.h"
#include "common/crypto/random.h"
#include "common/http/page_server.h"
#include "common/log/log.h"
#include "common/platform/files.h"
#include "server/coordinator.h"
#include "server/pki.h"
#include "server/rpc/servers.h"
#include "server/store/sqlite_store.h"

namespace tutti::server {
namespace {

constexpr std::size_t kDiskTasks =
    4096;  // operators' and enrolment calls that may wait for the disk
constexpr Milliseconds kUploadTick{100};
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kWarnDays = 30;

std::string DatabasePath(const std::string& state) { return state + "/tutti.db"; }

// Where clients reach a listening address: the first public name, else the address itself, else
// this machine's name.
std::string PublicAddress(const v1::ServerConfig& config, const std::string& listen, int port) {
  std::string host;
  if (config.public_names_size() > 0) {
    host = config.public_names(0);
  } else if (const auto place = config::ParseHostPort(listen);
             place.ok() && place->host != "0.0.0.0" && place->host != "::") {
    host = place->host;
  } else {
    char name[256] = {};
    host = ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
  }
  return host.find(':') == std::string::npos ? Join(host, ":", port) : Join("[", host, "]:", port);
}

void WarnOfExpiry(std::string_view what, WallSeconds expires, WallSeconds now) {
  const std::int64_t days = (expires - now) / kSecondsPerDay;
  if (days < kWarnDays) {
    log::Warn("a certificate expires soon", {{"certificate", what}, {"days", days}});
  }
}

std::vector<std::string> Names(const v1::ServerConfig& config) {
  return {config.public_names().begin(), config.public_names().end()};
}

}  // namespace

// In the order of construction: what stands above outlives what stands below.
struct Daemon::State {
  explicit State(const v1::ServerConfig& server_config, const Clock& real_clock)
      : config(server_config),
        clock(real_clock),
        checkpoints(config.state_directory()),
        shelf(checkpoints),
        pool(config.limits().memory_slots(), config.state_directory() + "/spool", clock) {}

  v1::ServerConfig config;
  const Clock& clock;
  std::optional<platform::FileLock> lock;
  Pki pki;
  std::unique_ptr<store::SqliteStore> store;
  store::Checkpoints checkpoints;
  store::ModelShelf shelf;
  store::Directory directory;
  http::Metrics metrics;
  rpc::SpoolPool pool;
  rpc::PartialUploads partial;  // after the pool it gives spools back to
  crypto::SystemRng rng;
  std::unique_ptr<crypto::CachingVerifier> verifier;
  std::unique_ptr<rpc::Identity> identity;
  std::unique_ptr<platform::Executor> disk;
  std::unique_ptr<Coordinator> coordinator;
  std::unique_ptr<rpc::CoordinatorService> service;
  std::unique_ptr<rpc::AdminService> remote_admin;
  std::unique_ptr<rpc::AdminService> local_admin;
  std::unique_ptr<rpc::EnrolmentService> enrolment;
  std::unique_ptr<rpc::Servers> servers;
  std::unique_ptr<http::PageServer> http;
  std::string admin_socket;
  std::mutex ticking_mutex;
  std::condition_variable ticking_changed;
  bool ticking = true;  // guarded by ticking_mutex
  std::thread ticker;

  Status OpenState();
  Status OpenStore();
  Status StartCoordinator();
  Status StartServers();
  void MakeServices();
  rpc::AdminSettings Admin(rpc::Identity* of);
  void Tick();
};

Status Daemon::State::OpenState() {
  const std::string& root = config.state_directory();
  if (!platform::Exists(root)) {
    return NotFound(Join("state directory ", root,
                         " does not exist; make it with: tutti-server init "
                         "--state ",
                         root));
  }
  TUTTI_ASSIGN(lock, platform::FileLock::Acquire(root + "/lock", "state directory " + root));
  TUTTI_TRY(platform::MakeDirectory(root + "/spool"));
  TUTTI_TRY(platform::MakeDirectory(root + "/models"));
  if (config.insecure_loopback()) {
    log::Warn(
        "insecure_loopback: no certificates, plain text; for experiments on this machine only");
    return OkStatus();
  }
  TUTTI_ASSIGN(pki, LoadPki(root, Names(config), clock));
  WarnOfExpiry("CA", pki.ca.not_after, clock.Wall());
  return OkStatus();
}

Status Daemon::State::OpenStore() {
  TUTTI_ASSIGN(store, store::SqliteStore::Open(DatabasePath(config.state_directory())));
  TUTTI_ASSIGN(const auto clients, store->Clients());
  directory.Load(clients);
  for (const store::ClientRecord& client : clients) {
    if (!client.revoked && client.certificate_expires_at > 0) {
      WarnOfExpiry(client.name, client.certificate_expires_at, clock.Wall());
    }
  }
  TUTTI_ASSIGN(const auto models, store->Models(""));
  TUTTI_ASSIGN(const std::size_t removed, checkpoints.Clean(models));
  if (removed > 0) {
    log::Info("left-over files removed", {{"files", removed}});
  }
  return OkStatus();
}

Status Daemon::State::StartCoordinator() {
  verifier = std::make_unique<crypto::CachingVerifier>(pki.authority.ca_pem, clock);
  identity = std::make_unique<rpc::Identity>(directory, clock, config.insecure_loopback());
  disk = std::make_unique<platform::Executor>("tutti-disk", 1, kDiskTasks);
  CoordinatorSettings settings;
  settings.core.reconnect_grace =
      Milliseconds(static_cast<std::int64_t>(config.limits().reconnect_grace_seconds() * 1000));
  settings.core.server_version = TUTTI_VERSION;
  settings.event_queue = config.limits().event_queue();
  settings.keep_models = config.limits().keep_models();
  settings.noise_key_file = config.state_directory() + "/noise.key";
  settings.insecure = config.insecure_loopback();
  coordinator = std::make_unique<Coordinator>(settings, CoordinatorParts{.store = *store,
                                                                         .checkpoints = checkpoints,
                                                                         .shelf = shelf,
                                                                         .directory = directory,
                                                                         .metrics = metrics,
                                                                         .pool = pool,
                                                                         .partial = partial,
                                                                         .disk = *disk,
                                                                         .clock = clock,
                                                                         .verifier = *verifier,
                                                                         .rng = rng});
  return coordinator->Restore();
}

rpc::AdminSettings Daemon::State::Admin(rpc::Identity* of) {
  return {.port = *coordinator,
          .store = *store,
          .directory = directory,
          .checkpoints = checkpoints,
          .disk = *disk,
          .identity = of,
          .clock = clock,
          .insecure = config.insecure_loopback(),
          .address = PublicAddress(config, config.address(), servers->port()),
          .enrolment_address =
              PublicAddress(config, config.enrolment_address(), servers->enrolment_port()),
          .ca_sha256 = pki.ca_sha256,
          .token_lifetime_seconds = config.enrolment().token_lifetime_seconds(),
          .started_at = clock.Wall()};
}

void Daemon::State::MakeServices() {
  service = std::make_unique<rpc::CoordinatorService>(rpc::CoordinatorServiceSettings{
      .port = *coordinator,
      .identity = *identity,
      .shelf = shelf,
      .disk = *disk,
      .metrics = metrics,
      .pool = pool,
      .partial = partial,
      .clock = clock,
      .stall = Milliseconds(static_cast<std::int64_t>(config.limits().stall_seconds() * 1000))});
  remote_admin = std::make_unique<rpc::AdminService>(Admin(identity.get()));
  local_admin = std::make_unique<rpc::AdminService>(Admin(nullptr));
  enrolment = std::make_unique<rpc::EnrolmentService>(rpc::EnrolmentSettings{
      .store = *store,
      .directory = directory,
      .disk = *disk,
      .authority = pki.authority,
      .clock = clock,
      .certificate_days = static_cast<int>(config.enrolment().certificate_days()),
      .max_clients = config.limits().max_clients()});
}

Status Daemon::State::StartServers() {
  admin_socket = config.admin_socket().empty() ? config.state_directory() + "/admin.sock"
                                               : config.admin_socket();
  TUTTI_ASSIGN(servers, rpc::Servers::Listen({.address = config.address(),
                                              .enrolment_address = config.enrolment_address(),
                                              .admin_socket = admin_socket,
                                              .insecure = config.insecure_loopback(),
                                              .ca_pem = pki.authority.ca_pem,
                                              .certificate_pem = pki.server_pem,
                                              .key_pem = pki.server_key_pem}));
  MakeServices();
  if (config.metrics_address() != "off") {
    TUTTI_ASSIGN(http, http::PageServer::Start(
                           config.metrics_address(), [this] { return metrics.Text(); },
                           [this] { return coordinator->healthy(); }));
  }
  coordinator->Start();
  return servers->Serve({.coordinator = *service,
                         .remote_admin = *remote_admin,
                         .local_admin = *local_admin,
                         .enrolment = config.insecure_loopback() ? nullptr : enrolment.get()});
}

void Daemon::State::Tick() {
  std::unique_lock held(ticking_mutex);
  while (ticking) {
    ticking_changed.wait_for(held, kUploadTick);
    service->upload_watch().Look(clock.Now());
  }
}

Daemon::Daemon(std::unique_ptr<State> state) : state_(std::move(state)) {}
Daemon::~Daemon() { Stop(); }
int Daemon::port() const { return state_->servers->port(); }
int Daemon::enrolment_port() const { return state_->servers->enrolment_port(); }
int Daemon::metrics_port() const { return state_->http == nullptr ? 0 : state_->http->port(); }
std::string Daemon::admin_socket() const { return state_->admin_socket; }

StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const v1::ServerConfig& config,
                                                const Clock& clock) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::make_unique<State>(config, clock)));
  State& state = *daemon->state_;
  TUTTI_TRY(state.OpenState());
  TUTTI_TRY(state.OpenStore());
  TUTTI_TRY(state.StartCoordinator());
  TUTTI_TRY(state.StartServers());
  state.ticker = std::thread([&state] { state.Tick(); });
  log::Info("coordinator started", {{"version", TUTTI_VERSION},
                                    {"port", daemon->port()},
                                    {"enrolment_port", daemon->enrolment_port()},
                                    {"metrics_port", daemon->metrics_port()},
                                    {"admin_socket", state.admin_socket},
                                    {"clients_enrolled", state.directory.Enrolled()}});
  return daemon;
}

void Daemon::Stop() {
  State& state = *state_;
  state.http.reset();
  if (state.coordinator != nullptr) {
    state.coordinator->FlushActivity().IgnoreError();
    state.coordinator->Stop();
  }
  if (state.servers != nullptr) {
    state.servers->Shutdown();
  }
  {
    const std::lock_guard held(state.ticking_mutex);
    state.ticking = false;
  }
  state.ticking_changed.notify_one();
  if (state.ticker.joinable()) {
    state.ticker.join();
  }
  state.disk.reset();
}

Status InitStateDirectory(const InitSettings& settings, const Clock& clock) {
  TUTTI_TRY(platform::MakeDirectory(settings.state_directory));
  TUTTI_ASSIGN(const platform::FileLock lock,
               platform::FileLock::Acquire(settings.state_directory + "/lock",
                                           "state directory " + settings.state_directory));
  crypto::SystemRng rng;
  TUTTI_ASSIGN(const crypto::CertificateInfo admin, InitPki(settings, clock, rng));
  TUTTI_ASSIGN(const auto store, store::SqliteStore::Open(DatabasePath(settings.state_directory)));
  store::ClientRecord record;
  record.name = admin.name;
  record.role = admin.role;
  record.spki = admin.spki_sha256;
  record.certificate_expires_at = admin.not_after;
  record.enrolled_at = clock.Wall();
  return store->AddClient(record);
}

}  // namespace tutti::server

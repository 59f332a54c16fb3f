#include "server/rpc/servers.h"

#include <google/protobuf/stubs/common.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include "common/base/text.h"
#include "common/log/log.h"
#include "common/platform/files.h"
#include "server/rpc/acceptor.h"
#if GOOGLE_PROTOBUF_VERSION < 4022000
#include <google/protobuf/stubs/logging.h>
#endif

namespace tutti::rpc {
namespace {

constexpr int kMostMessage = 4 << 20;         // bytes; vectors and models come in chunks of 1 MiB
constexpr int kMostLocalMessage = 1 << 30;    // a job's warm start comes in one message
constexpr int kMostStreams = 64;              // open calls of one connection
constexpr int kHandshakeMilliseconds = 5000;  // a silent socket is closed after this
constexpr std::size_t kQuotaBytes = std::size_t{1} << 30;

void HardenChannel(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMostMessage);
  // Two servers on one port would silently split the clients.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreams);
  // Windows would grow to megabytes for each of many slow writers.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // A parked client pings about once a minute; more often than every 30 s is abuse.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 10 * 60'000);
  // Certificates are checked at the handshake: a new one now and then.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 6 * 3'600'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 10 * 60'000);
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const ServersSettings& settings,
                                                     bool ask_client) {
  if (settings.insecure) {
    return grpc::InsecureServerCredentials();
  }
  grpc::SslServerCredentialsOptions options(
      ask_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                 : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_root_certs = settings.ca_pem;
  // The chain holds the CA too: a new client finds it by the token's fingerprint.
  options.pem_key_cert_pairs.push_back(
      {settings.key_pem, settings.certificate_pem + settings.ca_pem});
  return grpc::SslServerCredentials(options);
}

// gRPC reports every failed handshake as an error; a port scan must not fill the log.
void ForwardGrpcLog(gpr_log_func_args* args) {
  if (args->severity == GPR_LOG_SEVERITY_ERROR) {
    log::Debug("grpc", {{"message", args->message}});
  }
}

// protobuf reports every text that is not UTF-8 on stderr; a caller could fill the disk with it.
// From version 22 on it has another logger and no such setting.
#if GOOGLE_PROTOBUF_VERSION < 4022000
void ForwardProtobufLog(google::protobuf::LogLevel /*level*/, const char* /*file*/, int /*line*/,
                        const std::string& message) {
  log::Debug("protobuf", {{"message", message}});
}
void KeepProtobufQuiet() { google::protobuf::SetLogHandler(ForwardProtobufLog); }
#else
void KeepProtobufQuiet() {}
#endif

}  // namespace

struct Servers::State {
  ServersSettings settings;
  grpc::ResourceQuota quota{"tutti-server"};
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<Acceptor> enrolment_acceptor;
  std::unique_ptr<grpc::Server> main;
  std::unique_ptr<grpc::Server> enrolment;
  std::unique_ptr<grpc::Server> local;
};

Servers::Servers(std::unique_ptr<State> state) : state_(std::move(state)) {}
Servers::~Servers() { Shutdown(); }
int Servers::port() const { return state_->acceptor->port(); }
int Servers::enrolment_port() const {
  return state_->enrolment_acceptor == nullptr ? 0 : state_->enrolment_acceptor->port();
}

StatusOr<std::unique_ptr<Servers>> Servers::Listen(const ServersSettings& settings) {
  if (settings.admin_socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return InvalidArgument(Join("admin_socket ", settings.admin_socket, " has ",
                                settings.admin_socket.size(), " characters, at most ",
                                sizeof(sockaddr_un::sun_path) - 1,
                                " are possible; set admin_socket to a shorter path"));
  }
  auto state = std::make_unique<State>();
  state->settings = settings;
  state->quota.Resize(kQuotaBytes);
  TUTTI_ASSIGN(state->acceptor, Acceptor::Open(settings.address, "address"));
  if (!settings.insecure) {
    TUTTI_ASSIGN(state->enrolment_acceptor,
                 Acceptor::Open(settings.enrolment_address, "enrolment_address"));
  }
  return std::unique_ptr<Servers>(new Servers(std::move(state)));
}

Status Servers::Serve(const Services& services) {
  grpc::EnableDefaultHealthCheckService(true);
  const ServersSettings& settings = state_->settings;
  {
    grpc::ServerBuilder builder;
    HardenChannel(builder);
    builder.SetResourceQuota(state_->quota);
    builder.RegisterService(&services.coordinator);
    builder.RegisterService(&services.remote_admin);
    state_->acceptor->Attach(builder, Credentials(settings, true));
    state_->main = builder.BuildAndStart();
  }
  if (state_->enrolment_acceptor != nullptr && services.enrolment != nullptr) {
    grpc::ServerBuilder builder;
    HardenChannel(builder);
    builder.SetMaxReceiveMessageSize(64 * 1024);
    builder.RegisterService(services.enrolment);
    state_->enrolment_acceptor->Attach(builder, Credentials(settings, false));
    state_->enrolment = builder.BuildAndStart();
  }
  {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kMostLocalMessage);
    builder.RegisterService(&services.local_admin);
    builder.AddListeningPort("unix:" + settings.admin_socket, grpc::InsecureServerCredentials());
    // The socket gets its mode at birth: nobody else can open it in between.
    const mode_t before = ::umask(0177);
    state_->local = builder.BuildAndStart();
    ::umask(before);
  }
  if (state_->main == nullptr || state_->local == nullptr ||
      (state_->enrolment_acceptor != nullptr && state_->enrolment == nullptr)) {
    return Unavailable(
        state_->local == nullptr
            ? Join("cannot listen on admin_socket ", settings.admin_socket,
                   "; does its folder exist, and may this user write there?")
            : std::string("cannot start TLS: do the server's certificate and key in pki/ belong "
                          "together?"));
  }
  state_->acceptor->Start();
  if (state_->enrolment_acceptor != nullptr) {
    state_->enrolment_acceptor->Start();
  }
  return OkStatus();
}

void Servers::Shutdown() {
  if (state_->acceptor != nullptr) {
    state_->acceptor->Stop();
  }
  if (state_->enrolment_acceptor != nullptr) {
    state_->enrolment_acceptor->Stop();
  }
  const auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(500);
  for (std::unique_ptr<grpc::Server>* server :
       {&state_->local, &state_->enrolment, &state_->main}) {
    if (*server != nullptr) {
      (*server)->Shutdown(deadline);
      (*server)->Wait();
      server->reset();
    }
  }
}

void PrepareEnvironment() {
  // gRPC has no setting for the lowest TLS version. No cipher of TLS 1.2 is left in common with any
  // client, and the ciphers of TLS 1.3 are not affected by this list.
  ::setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES128-GCM-SHA256", 1);
  gpr_set_log_function(ForwardGrpcLog);
  KeepProtobufQuiet();
}

}  // namespace tutti::rpc

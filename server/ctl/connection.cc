#include "server/ctl/connection.h"

#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/text.h"

namespace tutti::ctl {
namespace {

constexpr std::uintmax_t kMaxPemBytes = 1 << 20;

StatusOr<std::string> ReadPem(const std::string& path, std::string_view what) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error == std::errc::permission_denied) {
    return PermissionDenied(Join(what, " ", Escaped(path), " may not be read by this user"));
  }
  if (error || size > kMaxPemBytes) {
    return InvalidArgument(Join(what, " ", Escaped(path),
                                error ? " cannot be read: " : " is too long",
                                error ? error.message() : "", "; name a PEM file"));
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    return PermissionDenied(Join(what, " ", Escaped(path), " may not be read by this user"));
  }
  if (text.str().find("-----BEGIN ") == std::string::npos) {
    return InvalidArgument(
        Join(what, " ", Escaped(path), " is not PEM: it has no line \"-----BEGIN ...\""));
  }
  return text.str();
}

StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const Endpoint& endpoint) {
  grpc::SslCredentialsOptions options;
  TUTTI_ASSIGN(options.pem_root_certs, ReadPem(endpoint.ca, "CA certificate"));
  TUTTI_ASSIGN(options.pem_cert_chain, ReadPem(endpoint.certificate, "certificate"));
  TUTTI_ASSIGN(options.pem_private_key, ReadPem(endpoint.key, "private key"));
  return grpc::SslCredentials(options);
}

}  // namespace

std::vector<std::string> UsualSockets() {
  return {"state/server/admin.sock", "/var/lib/tutti-server/admin.sock"};
}

StatusOr<std::string> FindSocket(const Endpoint& endpoint, const std::string& variable,
                                 const std::vector<std::string>& usual) {
  for (const auto& [path, source] :
       {std::pair(endpoint.socket, "--socket"), std::pair(variable, "TUTTI_SOCKET")}) {
    std::error_code error;
    if (!path.empty() && std::filesystem::exists(path, error)) {
      return path;
    }
    if (!path.empty()) {
      return Unavailable(Join("no coordinator at ", Escaped(path), " (from ", source,
                              "): there is no such socket; start one with `tutti-server run`, or "
                              "correct the path"));
    }
  }
  std::vector<std::string> tried;
  for (const std::string& path : usual) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      return path;
    }
    tried.push_back(path);
  }
  return Unavailable(Join("no coordinator found: there is no socket ", JoinWith(tried, " or "),
                          "; start one with `tutti-server run`, name its socket with --socket PATH "
                          "or TUTTI_SOCKET, or use --server HOST:PORT with an operator's "
                          "certificate"));
}

StatusOr<Connection> Connect(const Endpoint& endpoint, const std::string& variable) {
  grpc::ChannelArguments arguments;
  // `job show` of a long job and model chunks are larger than gRPC's 4 MiB.
  arguments.SetMaxReceiveMessageSize(64 << 20);
  Connection connection;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (!endpoint.server.empty()) {
    TUTTI_ASSIGN(credentials, Credentials(endpoint));
    connection.where = endpoint.server;
  } else {
    TUTTI_ASSIGN(const std::string socket, FindSocket(endpoint, variable, UsualSockets()));
    std::error_code error;
    connection.where = "unix:" + std::filesystem::absolute(socket, error).string();
    credentials = grpc::InsecureChannelCredentials();  // the socket's mode says who is an operator
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  }
  const auto channel = grpc::CreateCustomChannel(connection.where, credentials, arguments);
  connection.admin = v1::Admin::NewStub(channel);
  return connection;
}

Status Explain(const grpc::Status& status, const std::string& where) {
  if (status.ok()) {
    return OkStatus();
  }
  const std::string text = Escaped(status.error_message(), 2000);
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return Unavailable(
          Join("the coordinator at ", Escaped(where), " does not answer (", text,
               "); is `tutti-server run` running there, and may this user open it?"));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Unavailable(Join("the coordinator at ", Escaped(where),
                              " did not answer in time; try again, or look at its log"));
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return FailedPrecondition(Join("the coordinator refused: ", text,
                                     "; operators use the admin socket, or a certificate made with "
                                     "`tutti token create --role operator`"));
    case grpc::StatusCode::NOT_FOUND:
      return NotFound(text);
    default:
      return Internal(Join("the coordinator refused: ", text));
  }
}

}  // namespace tutti::ctl

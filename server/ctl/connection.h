// The way to the coordinator's Admin service: its unix socket, or mutual TLS with an operator's
// certificate. Thread safety: confined to one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "server/ctl/arguments.h"
#include "tutti/v1/admin.grpc.pb.h"

namespace tutti::ctl {

struct Connection {
  std::string where;  // "unix:/run/tutti/admin.sock" or "example.org:7443", for messages
  std::unique_ptr<v1::Admin::StubInterface> admin;
};

// The first socket that is named or exists: `endpoint.socket`, `variable` (TUTTI_SOCKET), then the
// usual places under `folder` (the working folder) and /var/lib. Unavailable, saying what to do,
// when there is none.
StatusOr<std::string> FindSocket(const Endpoint& endpoint, const std::string& variable,
                                 const std::vector<std::string>& usual);
std::vector<std::string> UsualSockets();

// Does not connect yet: the first call does. Unavailable without a socket, InvalidArgument or
// PermissionDenied when a certificate file cannot be read.
StatusOr<Connection> Connect(const Endpoint& endpoint, const std::string& variable);

// What a failed call means to the operator: its text escaped, with the way out when the coordinator
// did not answer. Code Unavailable exactly when it was not reachable.
Status Explain(const grpc::Status& status, const std::string& where);

}  // namespace tutti::ctl

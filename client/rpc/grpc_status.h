// grpc::Status as Status; channel options both services use. Internal to client/rpc.
#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace tutti::client_rpc {

// The codes are the same; the peer's text is escaped and cut.
Status FromGrpc(const grpc::Status& status);
// What one try gave; `asked`: the server says when to come back (trailing metadata tutti-retry-ms).
struct Try {
  Status status;
  std::optional<Milliseconds> asked;
};
// After the call ended.
Try EndOf(const grpc::Status& status, const grpc::ClientContext& context);
// Worth another try: the server is away, busy or slow.
bool MayWorkLater(StatusCode code);
grpc::ChannelArguments ChannelOptions(const std::string& address);

}  // namespace tutti::client_rpc

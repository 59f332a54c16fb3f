// grpc::Status as Status; channel options both services use. Internal to client/rpc.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "common/base/status.h"

namespace tutti::client_rpc {

// The codes are the same; the peer's text is escaped and cut.
Status FromGrpc(const grpc::Status& status);
// Worth another try: the server is away, busy or slow.
bool MayWorkLater(StatusCode code);
grpc::ChannelArguments ChannelOptions(const std::string& address);

}  // namespace tutti::client_rpc

// Status to gRPC's status; the codes have the same numbers.
// Thread safety: pure functions.
#pragma once

#include <grpcpp/grpcpp.h>

#include "common/base/status.h"

namespace tutti::rpc {

inline grpc::Status ToGrpc(const Status& status) {
  return status.ok() ? grpc::Status::OK
                     : grpc::Status(static_cast<grpc::StatusCode>(status.code()), TextOf(status));
}

// Trailing metadata of a refusal: when the caller may try again, in milliseconds.
inline constexpr char kRetryMetadata[] = "tutti-retry-ms";

}  // namespace tutti::rpc

// FetchModel: a checkpoint in chunks of at most 1 MiB that refer to the one shared buffer.
// Thread safety: safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include "common/platform/executor.h"
#include "server/http/metrics.h"
#include "server/store/model_shelf.h"

namespace tutti::rpc {

// `shelf`, `disk` and `metrics` are borrowed. `request` is a serialised FetchModelRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartFetch(store::ModelShelf& shelf,
                                                       platform::Executor& disk,
                                                       http::Metrics& metrics,
                                                       const grpc::ByteBuffer& request);
grpc::ServerWriteReactor<grpc::ByteBuffer>* FailedFetch(const Status& status);

}  // namespace tutti::rpc

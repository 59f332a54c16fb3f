// UploadChunk and ModelChunk as bytes, without copying their data: a vector's bytes go from gRPC's
// slices straight into the spool, a model's bytes from the one shared buffer straight into the
// connection. Thread safety: pure functions.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>

#include "common/base/status.h"
#include "server/store/model_shelf.h"
#include "tutti/v1/coordinator.pb.h"

namespace tutti::rpc {

struct ChunkHead {
  v1::UploadChunk fields;  // session and header as sent; no data
  bool has_header = false;
  std::uint64_t offset = 0;  // bytes
  std::uint64_t data_bytes = 0;
};

// Reads one UploadChunk. `on_data` gets the head before the first data byte (with `data` empty) and
// then the data in pieces; an error from it ends the parse. Unknown fields are skipped.
// InvalidArgument: not an UploadChunk, a field too long, or a field after the data.
using ChunkData = std::function<Status(const ChunkHead& head, BytesView data)>;
StatusOr<ChunkHead> ParseUploadChunk(grpc::ByteBuffer* buffer, const ChunkData& on_data);

// One ModelChunk whose data refers to bytes [offset, offset + count) of the model and keeps it
// alive.
grpc::ByteBuffer MakeModelChunk(const store::ModelBytes& model, std::uint64_t offset,
                                std::size_t count);

}  // namespace tutti::rpc

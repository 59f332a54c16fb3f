// UploadChunk and ModelChunk as bytes, without copying their data: what arrives goes from gRPC's
// slices straight to its place, what leaves from the one shared buffer straight into the
// connection. Thread safety: pure functions.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "tutti/v1/coordinator.pb.h"

namespace tutti::rpc {

// Initial metadata of an upload whose first chunk says `resume`: the byte to go on from, decimal.
inline constexpr char kOffsetMetadata[] = "tutti-upload-offset";

struct ChunkHead {
  v1::UploadChunk fields;  // session, header and resume as sent; no data
  bool has_header = false;
  std::uint64_t offset = 0;  // bytes
  std::uint64_t data_bytes = 0;
};

// Reads one UploadChunk or ModelChunk. `on_data` gets the head before the first data byte (with
// `data` empty) and then the data in pieces; an error from it ends the parse. Unknown fields are
// skipped. InvalidArgument: not a chunk, a field too long, or a field after the data.
using ChunkData = std::function<Status(const ChunkHead& head, BytesView data)>;
StatusOr<ChunkHead> ParseChunk(grpc::ByteBuffer* buffer, const ChunkData& on_data);

// An UploadChunk or ModelChunk of nothing but `data` and its offset. It refers to `data` and keeps
// `owner` alive for as long as gRPC needs it.
grpc::ByteBuffer MakeChunk(std::shared_ptr<const void> owner, BytesView data, std::uint64_t offset);

}  // namespace tutti::rpc

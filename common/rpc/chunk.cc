#include "common/rpc/chunk.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "common/protocol/messages.h"

namespace tutti::rpc {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr std::uint32_t kLengthDelimited = 2;
constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t Tag(std::uint32_t field, std::uint32_t type) { return field << 3 | type; }
constexpr std::uint32_t kMostHeaderBytes =
    1024 * 1024 + 1024;  // chunk digests of the largest vector

Status Malformed(std::string_view what) {
  return InvalidArgument(Join("chunk is malformed: ", what));
}

// A string field of at most `limit` bytes.
StatusOr<std::string> ReadField(CodedInputStream& in, std::uint32_t limit, std::string_view name) {
  std::uint32_t size = 0;
  std::string text;
  if (!in.ReadVarint32(&size) || size > limit || !in.ReadString(&text, static_cast<int>(size))) {
    return Malformed(
        Join(name, " has ", size, " bytes or is cut off, at most ", limit, " are allowed"));
  }
  return text;
}

Status ReadData(CodedInputStream& in, ChunkHead& head, const ChunkData& on_data) {
  std::uint32_t size = 0;
  if (!in.ReadVarint32(&size) || size > protocol::kMaxChunkBytes) {
    return Malformed(
        Join("data has ", size, " bytes, at most ", protocol::kMaxChunkBytes, " are allowed"));
  }
  head.data_bytes = size;
  TUTTI_TRY(on_data(head, {}));
  std::uint32_t left = size;
  while (left > 0) {
    const void* piece = nullptr;
    int available = 0;
    if (!in.GetDirectBufferPointer(&piece, &available)) {
      return Malformed("data is cut off");
    }
    const std::uint32_t count = std::min(left, static_cast<std::uint32_t>(available));
    TUTTI_TRY(on_data(head, {static_cast<const std::uint8_t*>(piece), count}));
    in.Skip(static_cast<int>(count));
    left -= count;
  }
  return OkStatus();
}

}  // namespace

StatusOr<ChunkHead> ParseChunk(grpc::ByteBuffer* buffer, const ChunkData& on_data) {
  grpc::ProtoBufferReader source(buffer);
  if (!source.status().ok()) {
    return Malformed("it cannot be read");
  }
  CodedInputStream in(&source);
  ChunkHead head;
  bool had_data = false;
  while (const std::uint32_t tag = in.ReadTag()) {
    if (had_data) {
      return Malformed("a field follows the data");
    }
    switch (tag) {
      case Tag(1, kLengthDelimited): {
        TUTTI_ASSIGN(*head.fields.mutable_session(), ReadField(in, 32, "session"));
        break;
      }
      case Tag(2, kLengthDelimited): {
        TUTTI_ASSIGN(const std::string header, ReadField(in, kMostHeaderBytes, "header"));
        if (!head.fields.mutable_header()->ParseFromString(header)) {
          return Malformed("header is not a MaskedHeader");
        }
        head.has_header = true;
        break;
      }
      case Tag(3, kVarint):
        if (!in.ReadVarint64(&head.offset)) {
          return Malformed("offset is cut off");
        }
        break;
      case Tag(5, kVarint): {
        std::uint64_t resume = 0;
        if (!in.ReadVarint64(&resume)) {
          return Malformed("resume is cut off");
        }
        head.fields.set_resume(resume != 0);
        break;
      }
      case Tag(4, kLengthDelimited):
        TUTTI_TRY(ReadData(in, head, on_data));
        had_data = true;
        break;
      default:
        if (!WireFormatLite::SkipField(&in, tag)) {
          return Malformed("an unknown field is cut off");
        }
    }
  }
  if (!in.ConsumedEntireMessage()) {
    return Malformed("it ends in the middle of a field");
  }
  if (!had_data) {
    TUTTI_TRY(on_data(head, {}));
  }
  return head;
}

grpc::ByteBuffer MakeChunk(std::shared_ptr<const void> owner, BytesView data,
                           std::uint64_t offset) {
  std::uint8_t prefix[32];
  std::uint8_t* end = prefix;
  if (offset > 0) {  // proto3 leaves zeros out
    end = CodedOutputStream::WriteTagToArray(Tag(3, kVarint), end);
    end = CodedOutputStream::WriteVarint64ToArray(offset, end);
  }
  end = CodedOutputStream::WriteTagToArray(Tag(4, kLengthDelimited), end);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(data.size()), end);
  // gRPC's slices are not const; it only reads through the pointer.
  auto* const bytes = const_cast<std::uint8_t*>(data.data());  // NOLINT
  auto* const held = new std::shared_ptr<const void>(std::move(owner));
  const grpc::Slice slices[2] = {
      grpc::Slice(prefix, static_cast<std::size_t>(end - prefix)),
      grpc::Slice(
          bytes, data.size(),
          [](void* kept) { delete static_cast<std::shared_ptr<const void>*>(kept); }, held)};
  return {slices, 2};
}

}  // namespace tutti::rpc

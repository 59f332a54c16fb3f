#include "common/rpc/chunk.h"

#include <grpcpp/grpcpp.h>

#include "common/protocol/messages.h"
#include "tests/catch.h"

namespace tutti::rpc {
namespace {

grpc::ByteBuffer BufferOf(const std::string& bytes, std::size_t slice_size) {
  std::vector<grpc::Slice> slices;
  for (std::size_t i = 0; i < bytes.size(); i += slice_size) {
    slices.emplace_back(bytes.substr(i, slice_size));
  }
  return {slices.data(), slices.size()};
}

StatusOr<ChunkHead> Parsed(const std::string& bytes, std::string& data, std::size_t slice = 7) {
  grpc::ByteBuffer buffer = BufferOf(bytes, slice);
  return ParseChunk(&buffer, [&](const ChunkHead&, BytesView piece) {
    data += AsText(piece);
    return OkStatus();
  });
}

v1::UploadChunk FirstChunk() {
  v1::UploadChunk chunk;
  chunk.set_session(std::string(32, 's'));
  chunk.mutable_header()->set_bytes(20);
  chunk.mutable_header()->set_root(std::string(32, 'd'));
  chunk.set_data("0123456789abcdefghij");
  return chunk;
}

}  // namespace

TEST_CASE("an upload chunk is read across slices of any size", "[chunk]") {
  for (const std::size_t slice : {1U, 3U, 16U, 1000U}) {
    std::string data;
    const auto head = Parsed(FirstChunk().SerializeAsString(), data, slice);
    REQUIRE(head.ok());
    REQUIRE(head->has_header);
    REQUIRE(head->fields.header().bytes() == 20);
    REQUIRE(head->fields.session() == std::string(32, 's'));
    REQUIRE(head->offset == 0);
    REQUIRE_FALSE(head->fields.resume());
    REQUIRE(head->data_bytes == 20);
    REQUIRE(data == "0123456789abcdefghij");
  }
}

TEST_CASE("a chunk that resumes has no data", "[chunk]") {
  v1::UploadChunk chunk = FirstChunk();
  chunk.set_resume(true);
  std::string data;
  REQUIRE_FALSE(Parsed(chunk.SerializeAsString(), data).ok());
  chunk.clear_data();
  const auto head = Parsed(chunk.SerializeAsString(), data);
  REQUIRE(head.ok());
  REQUIRE(head->fields.resume());
  REQUIRE(head->has_header);
}

TEST_CASE("every cut of an upload chunk is refused or is a shorter valid one", "[chunk]") {
  v1::UploadChunk chunk = FirstChunk();
  chunk.set_offset(300);
  const std::string whole = chunk.SerializeAsString();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string data;
    const auto head = Parsed(whole.substr(0, size), data);
    if (head.ok()) {
      v1::UploadChunk expected;
      REQUIRE(expected.ParseFromString(whole.substr(0, size)));
      REQUIRE(data == expected.data());
    }
  }
}

TEST_CASE("a chunk that is too long or goes on after its data is refused", "[chunk]") {
  std::string data;
  v1::UploadChunk chunk;
  chunk.set_data(std::string(protocol::kMaxChunkBytes + 1, 'x'));
  REQUIRE(!Parsed(chunk.SerializeAsString(), data, 100'000).ok());
  REQUIRE(data.empty());
  v1::UploadChunk tail;
  tail.set_offset(8);
  REQUIRE(!Parsed(FirstChunk().SerializeAsString() + tail.SerializeAsString(), data).ok());
  chunk.Clear();
  chunk.set_session(std::string(33, 's'));
  REQUIRE(!Parsed(chunk.SerializeAsString(), data).ok());
}

TEST_CASE("an unknown field is skipped", "[chunk]") {
  v1::UploadChunk chunk = FirstChunk();
  chunk.GetReflection()->MutableUnknownFields(&chunk)->AddLengthDelimited(90, "later");
  std::string data;
  // Unknown fields are written last; put them first, as a newer client's order could be.
  v1::UploadChunk unknown;
  unknown.GetReflection()->MutableUnknownFields(&unknown)->AddVarint(91, 5);
  REQUIRE(Parsed(unknown.SerializeAsString() + FirstChunk().SerializeAsString(), data).ok());
  REQUIRE(data == "0123456789abcdefghij");
}

TEST_CASE("groups in groups of a chunk cannot exhaust the stack", "[chunk]") {
  std::string data;
  REQUIRE(!Parsed(std::string(1'000'000, '\x7b'), data).ok());
}

TEST_CASE("a model chunk is what protobuf would have written, without a copy", "[chunk]") {
  const auto model = std::make_shared<const Bytes>(Bytes(3000, 9));
  for (const std::uint64_t offset : {0U, 1U, 2500U}) {
    grpc::ByteBuffer buffer = MakeChunk(model, BytesView(*model).subspan(offset, 500), offset);
    REQUIRE(model.use_count() == 2);
    grpc::Slice slice;
    REQUIRE(buffer.DumpToSingleSlice(&slice).ok());
    v1::ModelChunk expected;
    expected.set_offset(offset);
    expected.set_data(std::string(500, '\x09'));
    REQUIRE(std::string(slice.begin(), slice.end()) == expected.SerializeAsString());
    std::string data;
    REQUIRE(Parsed(expected.SerializeAsString(), data)->offset == offset);
    REQUIRE(data == expected.data());
    buffer.Clear();
    REQUIRE(model.use_count() == 1);
  }
}

}  // namespace tutti::rpc

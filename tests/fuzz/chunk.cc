// One message of an upload or of a model's download as gRPC's slices: any bytes, cut anywhere. How
// they are cut changes nothing, and what is read is what protobuf reads.
#include <vector>

#include "common/protocol/messages.h"
#include "common/rpc/chunk.h"
#include "tests/fuzz/source.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

struct Parsed {
  StatusOr<rpc::ChunkHead> head;
  Bytes data;
};

Parsed Parse(std::vector<grpc::Slice> slices) {
  grpc::ByteBuffer buffer(slices.data(), slices.size());
  Bytes data;
  std::uint64_t announced = 0;
  StatusOr<rpc::ChunkHead> head =
      rpc::ParseChunk(&buffer, [&](const rpc::ChunkHead& known, BytesView piece) {
        announced = known.data_bytes;
        Expect(announced <= protocol::kMaxChunkBytes, "a chunk's data is bounded before it comes");
        data.insert(data.end(), piece.begin(), piece.end());
        return OkStatus();
      });
  Expect(data.size() <= announced, "no more data comes than was announced");
  return {std::move(head), std::move(data)};
}

grpc::Slice SliceOf(BytesView bytes) { return {bytes.data(), bytes.size()}; }

void ReadAnything(Source& source) {
  std::size_t cuts[4];
  for (std::size_t& cut : cuts) cut = source.U8();
  const BytesView bytes = source.Take(~std::size_t{0});
  std::vector<grpc::Slice> slices;
  BytesView rest = bytes;
  for (const std::size_t cut : cuts) {
    slices.push_back(SliceOf(rest.first(std::min(cut, rest.size()))));
    rest = rest.subspan(std::min(cut, rest.size()));
  }
  slices.push_back(SliceOf(rest));
  const Parsed cut = Parse(std::move(slices));
  const Parsed whole = Parse({SliceOf(bytes)});
  Expect(cut.head.ok() == whole.head.ok(), "where a message is cut does not matter");
  if (!whole.head.ok()) return;
  Expect(cut.data == whole.data && cut.head->offset == whole.head->offset &&
             cut.head->has_header == whole.head->has_header,
         "where a message is cut does not matter");
  Expect(whole.head->fields.session().size() <= 32, "a session is bounded");
  v1::UploadChunk reference;
  if (!reference.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  Expect(reference.data() == AsText(whole.data) && reference.offset() == whole.head->offset &&
             reference.session() == whole.head->fields.session() &&
             reference.resume() == whole.head->fields.resume(),
         "a chunk is read as protobuf reads it");
}

// What we make is read again by us and by protobuf.
void MakeAndRead(Source& source) {
  const std::uint64_t offset = source.U64();
  auto data = std::make_shared<Bytes>(ToBytes(source.Take(4096)));
  grpc::ByteBuffer made = rpc::MakeChunk(data, *data, offset);
  std::vector<grpc::Slice> slices;
  Expect(made.Dump(&slices).ok(), "a chunk is bytes");
  v1::UploadChunk reference;
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  Expect(reference.ParseFromString(text) && reference.data() == AsText(*data) &&
             reference.offset() == offset,
         "protobuf reads the chunks we make");
  const Parsed again = Parse(std::move(slices));
  Expect(again.head.ok() && again.data == *data && again.head->offset == offset,
         "we read the chunks we make");
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [choice, bytes] = tutti::fuzz::Choose(data, size);
  tutti::fuzz::Source source(bytes);
  if (choice % 4 == 0) {
    tutti::fuzz::MakeAndRead(source);
  } else {
    tutti::fuzz::ReadAnything(source);
  }
  return 0;
}

#include "common/secagg/chunks.h"

#include <algorithm>

#include "common/crypto/hash.h"

namespace tutti::secagg {

std::uint64_t ChunkCount(std::uint64_t bytes) { return (bytes + kChunkBytes - 1) / kChunkBytes; }

std::vector<Digest> ChunkDigests(BytesView vector) {
  std::vector<Digest> digests;
  digests.reserve(ChunkCount(vector.size()));
  for (std::size_t at = 0; at < vector.size(); at += kChunkBytes) {
    digests.push_back(
        crypto::Sha256(vector.subspan(at, std::min(kChunkBytes, vector.size() - at))));
  }
  return digests;
}

Digest ChunkRoot(std::uint64_t bytes, std::span<const Digest> chunks) {
  ByteWriter out;
  out.Raw(AsBytes("tutti.secagg.v1/chunks"));
  out.U64(bytes);
  for (const Digest& digest : chunks) {
    out.Raw(digest);
  }
  return crypto::Sha256(out.bytes());
}

MaskedHeader UnsignedHeader(BytesView vector) {
  MaskedHeader header{
      .bytes = vector.size(), .chunks = ChunkDigests(vector), .root = {}, .signature = {}};
  header.root = ChunkRoot(header.bytes, header.chunks);
  return header;
}

}  // namespace tutti::secagg

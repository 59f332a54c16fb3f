// A masked vector travels in chunks of 256 KiB, each of which can be checked as soon as it is there
// and whose size bounds what the coordinator holds of every upload that is arriving. One root binds
// them all and is what the client signs. Thread safety: pure functions. Source: docs/protocol.md
// section 2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/secagg/messages.h"

namespace tutti::secagg {

inline constexpr std::size_t kChunkBytes = 256 * 1024;  // the last one may be shorter

// ceil(bytes / kChunkBytes).
std::uint64_t ChunkCount(std::uint64_t bytes);
// SHA-256 of each chunk of `vector`, in order.
std::vector<Digest> ChunkDigests(BytesView vector);
// SHA-256("tutti.secagg.v1/chunks" || u64 bytes || the digests).
Digest ChunkRoot(std::uint64_t bytes, std::span<const Digest> chunks);
// The header that announces `vector`, not yet signed.
MaskedHeader UnsignedHeader(BytesView vector);

}  // namespace tutti::secagg

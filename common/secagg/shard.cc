#include "common/secagg/shard.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/chunks.h"
#include "common/secagg/packing.h"

namespace tutti::secagg {
namespace {

// The byte of the travelling vector that position `position`, a range's border, starts at.
std::uint64_t ByteOf(const RingLayout& layout, std::uint64_t position) {
  return position <= layout.values ? PackedBytes(position, layout.bits)
                                   : layout.payload_wire_bytes() + 4 * (position - layout.values);
}

ShardRange RangeOf(const RingLayout& layout, std::uint64_t first, std::uint64_t end) {
  ShardRange range;
  range.first = first;
  range.count = end - first;
  range.first_byte = ByteOf(layout, first);
  range.bytes = ByteOf(layout, end) - range.first_byte;
  range.first_chunk = range.first_byte / kChunkBytes;
  range.last_chunk = (range.first_byte + range.bytes - 1) / kChunkBytes;
  return range;
}

}  // namespace

StatusOr<std::vector<ShardRange>> ShardRanges(const RingLayout& layout, std::uint32_t shards) {
  constexpr std::uint64_t kStep = RingVector::kRangeStep;
  if (shards == 0 || layout.values / kStep < shards) {
    return InvalidArgument(tutti::Join("a vector of ", layout.values,
                                       " values cannot be shared by ", shards,
                                       " shards: each needs at least ", kStep, " values"));
  }
  std::vector<ShardRange> ranges;
  std::uint64_t first = 0;
  for (std::uint64_t shard = 1; shard <= shards; ++shard) {
    const std::uint64_t end =
        shard == shards ? layout.positions() : layout.values / kStep * shard / shards * kStep;
    ranges.push_back(RangeOf(layout, first, end));
    first = end;
  }
  return ranges;
}

Shard::Shard(const RingLayout& layout, const ShardRange& range, std::uint32_t cohort)
    : layout_(layout), range_(range), cohort_(cohort), sum_(layout, range.first, range.count) {}

Status Shard::CheckAdding() const {
  switch (state_) {
    case State::kAdding:
      return OkStatus();
    case State::kBroken:
      return FailedPrecondition("a vector was added in part; this sum cannot be used");
    case State::kOpened:
      return FailedPrecondition("the sum was opened; no vector is taken any more");
  }
  return Internal("unknown state of a shard");
}

Status Shard::Announce(const ClientId& client, const MaskedHeader& header) {
  TUTTI_TRY(CheckAdding());
  if (header.bytes != layout_.wire_bytes() || header.chunks.size() != ChunkCount(header.bytes) ||
      header.root != ChunkRoot(header.bytes, header.chunks)) {
    return InvalidArgument(tutti::Join("client ", client, " announced ", header.bytes, " bytes in ",
                                       header.chunks.size(), " chunks, expected ",
                                       layout_.wire_bytes(),
                                       " bytes under the root of their chunks' digests"));
  }
  if (const auto found = coming_.find(client); found != coming_.end()) {
    return found->second.header == header
               ? OkStatus()
               : AlreadyExists(tutti::Join("client ", client, " announced another vector before"));
  }
  if (coming_.size() >= cohort_) {
    return ResourceExhausted(
        tutti::Join("more clients than the cohort's ", cohort_, " were announced"));
  }
  coming_.emplace(client, Coming{header, range_.first_chunk});
  return OkStatus();
}

StatusOr<Shard::Part> Shard::Receive(const ClientId& client, std::uint64_t index, BytesView data) {
  TUTTI_TRY(CheckAdding());
  const auto found = coming_.find(client);
  if (found == coming_.end()) {
    return NotFound(tutti::Join("no vector of client ", client, " was announced"));
  }
  Coming& coming = found->second;
  if (index != coming.next_chunk || index > range_.last_chunk) {
    return OutOfRange(tutti::Join("chunk ", index, " of client ", client,
                                  " is not the next of this ", "shard's chunks ",
                                  range_.first_chunk, " to ", range_.last_chunk));
  }
  const std::uint64_t start = index * kChunkBytes;
  if (data.size() != std::min<std::uint64_t>(kChunkBytes, coming.header.bytes - start) ||
      crypto::Sha256(data) != coming.header.chunks[index]) {
    return InvalidArgument(
        tutti::Join("chunk ", index, " of client ", client, " has ", data.size(),
                    " bytes and not the length and SHA-256 its header announced"));
  }
  ++coming.next_chunk;
  const std::uint64_t first = std::max(start, range_.first_byte);
  const std::uint64_t end = std::min(start + data.size(), range_.first_byte + range_.bytes);
  return Part{data.subspan(first - start, end - first), first};
}

bool Shard::IsComplete(const ClientId& client) const {
  const auto found = coming_.find(client);
  return found != coming_.end() && found->second.next_chunk == range_.last_chunk + 1;
}

Status Shard::Include(const ClientId& client, const std::function<Status(const Sink&)>& visit) {
  TUTTI_TRY(CheckAdding());
  if (!IsComplete(client) || included_.contains(client)) {
    return FailedPrecondition(tutti::Join("the vector of client ", client,
                                          " is not complete in this ", "shard, or is in the sum"));
  }
  std::uint64_t next = range_.first_byte;
  Status status = visit([&](BytesView part, std::uint64_t first_byte) -> Status {
    if (first_byte != next) {
      return OutOfRange(tutti::Join("a part at byte ", first_byte, " follows byte ", next));
    }
    next += part.size();
    return sum_.Add(part, first_byte);
  });
  if (status.ok() && next != range_.first_byte + range_.bytes) {
    status = OutOfRange(tutti::Join("the vector of client ", client, " ends at byte ", next));
  }
  if (!status.ok()) {
    state_ = State::kBroken;
    return status;
  }
  included_.insert(client);
  return OkStatus();
}

Status Shard::Drop(const ClientId& client) {
  if (included_.contains(client)) {
    return FailedPrecondition(tutti::Join("the vector of client ", client, " is in the sum"));
  }
  coming_.erase(client);
  return OkStatus();
}

StatusOr<RingVector> Shard::Open(const std::set<ClientId>& survivors,
                                 std::span<const LeftoverMask> masks) {
  TUTTI_TRY(CheckAdding());
  if (survivors != included_) {
    return FailedPrecondition(tutti::Join("the survivor set has ", survivors.size(),
                                          " clients and is ", "not that of the ", included_.size(),
                                          " vectors in the sum"));
  }
  state_ = State::kOpened;
  TUTTI_TRY(sum_.RemoveMasks(masks, range_.first, range_.count));
  return sum_.sum();
}

StatusOr<RingVector> JoinRanges(std::span<const RingVector> parts) {
  if (parts.empty()) {
    return InvalidArgument("no part of a sum is there");
  }
  const RingLayout& layout = parts.front().layout();
  RingVector whole(layout);
  std::uint64_t next = 0;
  for (const RingVector& part : parts) {
    if (part.layout() != layout || part.first() != next) {
      return InvalidArgument(tutti::Join("a part of a sum starts at position ", part.first(),
                                         ", expected ", next, " of the same layout"));
    }
    std::visit(
        [&](auto& lanes) {
          const auto& from = std::get<std::decay_t<decltype(lanes)>>(part.payload());
          std::copy(from.begin(), from.end(),
                    lanes.begin() + static_cast<std::ptrdiff_t>(std::min(next, layout.values)));
        },
        whole.payload());
    const std::uint64_t extras_before = next > layout.values ? next - layout.values : 0;
    std::ranges::copy(part.extras(), whole.extras().subspan(extras_before).begin());
    next += part.count();
  }
  if (next != layout.positions()) {
    return InvalidArgument(
        tutti::Join("the parts of a sum end at position ", next, " of ", layout.positions()));
  }
  return whole;
}

}  // namespace tutti::secagg

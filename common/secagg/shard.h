// One round's sum shared by several aggregator processes, each of which sums a range of the
// vector's positions: masks are seekable, so that every range is a sum of its own. A client's
// chunks go straight to the shards whose range they touch; what joins the parts again is the
// coordinator, which alone runs the round (server_session.h):
//   1. It checks a client's header and announces it to every shard.
//   2. A shard checks the chunks that touch its range and says when it has them all. Only when all
//      shards have is the vector included, by all of them; else it is dropped, by all of them.
//   3. After the survivor set is durable, and not before, it sends the set and the rebuilt masks'
//      seeds (no shares, no keys). A shard whose included vectors are not exactly the survivors'
//      refuses. Until then a shard has seen masked values alone.
//   4. It joins the opened ranges.
// Where the parts of a vector wait is the caller's business. Thread safety: confined.
// Source: docs/protocol.md section 7.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/secagg/accumulator.h"

namespace tutti::secagg {

struct ShardRange {
  std::uint64_t first = 0, count = 0;             // positions
  std::uint64_t first_byte = 0, bytes = 0;        // of the vector as it travels
  std::uint64_t first_chunk = 0, last_chunk = 0;  // that touch it; neighbours may share one
};

// Ranges of nearly equal length that cover the vector in order. InvalidArgument: no shard, or fewer
// than RingVector::kRangeStep values for each.
StatusOr<std::vector<ShardRange>> ShardRanges(const RingLayout& layout, std::uint32_t shards);

class Shard {
 public:
  // `cohort` bounds how many clients can be announced. `range` is one of ShardRanges(layout).
  Shard(const RingLayout& layout, const ShardRange& range, std::uint32_t cohort);

  const ShardRange& range() const { return range_; }
  // The vector this client will send; the coordinator checked who signed it. InvalidArgument: not a
  // header of this layout. AlreadyExists: another header than before. ResourceExhausted: more
  // clients than the cohort has.
  Status Announce(const ClientId& client, const MaskedHeader& header);
  // The part of chunk `index` that lies in the range, to be kept, and its first byte in the whole
  // vector. Chunks come in order. NotFound: not announced. OutOfRange: the chunk is not the next of
  // this shard. InvalidArgument: not the digest its header announced.
  struct Part {
    BytesView bytes;  // into the data given
    std::uint64_t first_byte = 0;
  };
  StatusOr<Part> Receive(const ClientId& client, std::uint64_t index, BytesView data);
  bool IsComplete(const ClientId& client) const;

  // Adds the kept range of a complete vector, which `visit` shows in order, cut at multiples of
  // layout.bits bytes. FailedPrecondition: not complete, included before, or the sum was opened. An
  // error of `visit` leaves half a vector in the sum: nothing can be opened any more.
  using Sink = std::function<Status(BytesView part, std::uint64_t first_byte)>;
  Status Include(const ClientId& client, const std::function<Status(const Sink&)>& visit);
  // Forgets a vector; FailedPrecondition when it is in the sum.
  Status Drop(const ClientId& client);
  const std::set<ClientId>& included() const { return included_; }

  // The range of the sum without its masks; once. FailedPrecondition: `survivors` are not exactly
  // the included clients, the sum is broken, or it was opened before.
  StatusOr<RingVector> Open(const std::set<ClientId>& survivors,
                            std::span<const LeftoverMask> masks);

 private:
  struct Coming {
    MaskedHeader header;
    std::uint64_t next_chunk = 0;
  };
  enum class State { kAdding, kBroken, kOpened };

  Status CheckAdding() const;

  RingLayout layout_;
  ShardRange range_;
  std::uint32_t cohort_;
  Accumulator sum_;
  std::map<ClientId, Coming> coming_;
  std::set<ClientId> included_;
  State state_ = State::kAdding;
};

// The whole sum. InvalidArgument: the parts are not consecutive ranges of one layout that cover it.
StatusOr<RingVector> JoinRanges(std::span<const RingVector> parts);

}  // namespace tutti::secagg

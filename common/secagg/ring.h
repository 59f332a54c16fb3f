// The vector of one client, or of the sum, in a round's ring (layout.h).
// Thread safety: disjoint ranges of positions may be changed from several threads; otherwise
// confined. Source: docs/protocol.md section 4.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/crypto/mask_stream.h"
#include "common/secagg/layout.h"

namespace tutti::secagg {

class RingVector {
 public:
  using Payload = std::variant<std::vector<std::uint16_t>, std::vector<std::uint32_t>,
                               std::vector<std::uint64_t>>;

  // Zeros at positions [first, first + count) of a vector; without them, all of it. A range starts
  // at a multiple of kRangeStep or at the end of the payload.
  static constexpr std::uint64_t kRangeStep = 8;
  explicit RingVector(const RingLayout& layout) : RingVector(layout, 0, layout.positions()) {}
  RingVector(const RingLayout& layout, std::uint64_t first, std::uint64_t count);

  const RingLayout& layout() const { return layout_; }
  std::uint64_t first() const { return first_; }
  std::uint64_t count() const { return payload_size() + extras_.size(); }
  Payload& payload() { return payload_; }
  const Payload& payload() const { return payload_; }
  std::span<std::uint32_t> extras() { return extras_; }
  std::span<const std::uint32_t> extras() const { return extras_; }

  // Adds or subtracts all `keys[i]`'s streams at positions [first, first + count), in ranges that
  // stay in the first-level cache. The extra lanes' mask follows the payload's, from the next whole
  // cipher block on. OutOfRange when this vector does not have the positions.
  struct Mask {
    crypto::MaskKey key;
    bool subtract = false;
  };
  Status AddMasks(std::span<const Mask> masks, std::uint64_t first, std::uint64_t count);

  // Adds another vector of the same positions that is not masked and did not travel. OutOfRange
  // when it is of others.
  Status Add(const RingVector& other);

  // Adds a part of a vector as it travels, starting at byte `first_byte` of the whole. A part holds
  // whole groups of 8 values (layout().bits bytes each) except at the end of the payload, and whole
  // extra lanes. OutOfRange: it does not fit. InvalidArgument: bits behind the last value are set.
  Status AddWire(BytesView part, std::uint64_t first_byte);
  // What AddWire reads, in pieces of at most 64 KiB.
  void VisitWire(const std::function<void(BytesView)>& visitor) const;

 private:
  std::uint64_t payload_size() const;

  RingLayout layout_;
  std::uint64_t first_;
  Payload payload_;
  std::vector<std::uint32_t> extras_;
};

// The wire bytes of a whole vector, and their SHA-256.
Bytes ToWire(const RingVector& vector);
Digest WireDigest(const RingVector& vector);

}  // namespace tutti::secagg

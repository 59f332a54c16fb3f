// The ring a round computes in, and the vector of one client or of the sum in it.
//
// A vector has `values` payload lanes and then `extra_lanes` lanes of 32 bits (sum of weights,
// metrics). A payload value needs b bits: sums of the whole cohort lie in [-2^(b-1), 2^(b-1)). In
// memory it takes a lane of w bits, the smallest of 16, 32 and 64 that holds b: masks are added to
// whole lanes, and the bits above b never mean anything. On the wire a vector is its payload packed
// at b bits a value (packing.h), then the extra lanes as little-endian words. Positions count
// lanes: position p < values is a payload value, values + e is extra lane e. Thread safety:
// disjoint ranges of positions may be changed from several threads; otherwise confined. Source:
// docs/protocol.md section 4.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/crypto/mask_stream.h"

namespace tutti::secagg {

struct RingLayout {
  std::uint64_t values = 0;
  std::uint32_t extra_lanes = 0;
  std::uint32_t bits = 32;  // b: 1 .. kMostPackedBits

  bool operator==(const RingLayout&) const = default;
  std::uint32_t lane_bits() const { return bits <= 16 ? 16 : bits <= 32 ? 32 : 64; }
  std::uint64_t positions() const { return values + extra_lanes; }
  std::uint64_t payload_wire_bytes() const;
  std::uint64_t wire_bytes() const { return payload_wire_bytes() + 4 * std::uint64_t{extra_lanes}; }
  std::uint64_t memory_bytes() const {
    return values * (lane_bits() / 8) + 4 * std::uint64_t{extra_lanes};
  }
};

// The smallest b with clients * (2^(value_bits - 1) + 1) < 2^(b - 1): the sum of that many values
// cannot wrap around. At most value_bits + ceil(log2 clients) + 1.
std::uint32_t RingBits(std::uint32_t clients, std::uint32_t value_bits);

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

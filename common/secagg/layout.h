// The ring a round computes in, and what a vector of it looks like.
//
// A vector has `values` payload lanes and then `extra_lanes` lanes of 32 bits (sum of weights,
// metrics). A payload value needs b bits: sums of the whole cohort lie in [-2^(b-1), 2^(b-1)). In
// memory it takes a lane of w bits, the smallest of 16, 32 and 64 that holds b: masks are added to
// whole lanes, and the bits above b never mean anything. On the wire a vector is its payload packed
// at b bits a value (packing.h), then the extra lanes as little-endian words. Positions count
// lanes: position p < values is a payload value, values + e is extra lane e. Thread safety: value
// types. Source: docs/protocol.md section 4.
#pragma once

#include <cstdint>

namespace tutti::secagg {

struct RingLayout {
  std::uint64_t values = 0;
  std::uint32_t extra_lanes = 0;
  std::uint32_t bits = 32;  // b: 1 .. kMostPackedBits

  bool operator==(const RingLayout&) const = default;
  std::uint32_t lane_bits() const { return bits <= 16 ? 16 : bits <= 32 ? 32 : 64; }
  std::uint64_t positions() const { return values + extra_lanes; }
  std::uint64_t payload_wire_bytes() const;
  // The bits of the payload's last byte that lie behind the last value: zero in every vector.
  std::uint8_t padding_bits() const;
  std::uint64_t wire_bytes() const { return payload_wire_bytes() + 4 * std::uint64_t{extra_lanes}; }
  std::uint64_t memory_bytes() const {
    return values * (lane_bits() / 8) + 4 * std::uint64_t{extra_lanes};
  }
};

// The smallest b with clients * (2^(value_bits - 1) + 1) < 2^(b - 1): the sum of that many values
// cannot wrap around. At most value_bits + ceil(log2 clients) + 1.
std::uint32_t RingBits(std::uint32_t clients, std::uint32_t value_bits);

}  // namespace tutti::secagg

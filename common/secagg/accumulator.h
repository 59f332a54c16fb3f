// The one vector the coordinator holds: the sum of masked inputs in the round's ring, and the
// removal of leftover masks. Memory: one vector, whatever the number of clients. It may be of a
// range of positions alone, so that several processes can share a vector's ranges. Thread safety:
// RemoveMasks may run on disjoint ranges from several threads; otherwise confined.
#pragma once

#include <cstdint>
#include <span>

#include "common/secagg/ring.h"
#include "common/secagg/server_session.h"

namespace tutti::secagg {

class Accumulator {
 public:
  explicit Accumulator(const RingLayout& layout) : sum_(layout) {}
  Accumulator(const RingLayout& layout, std::uint64_t first, std::uint64_t count)
      : sum_(layout, first, count) {}
  // A part of a client's vector as it travels (RingVector::AddWire); its errors.
  Status Add(BytesView part, std::uint64_t first_byte) { return sum_.AddWire(part, first_byte); }
  // Removes every mask from positions [first, first + count).
  Status RemoveMasks(std::span<const LeftoverMask> masks, std::uint64_t first, std::uint64_t count);
  const RingVector& sum() const { return sum_; }

 private:
  RingVector sum_;
};

}  // namespace tutti::secagg

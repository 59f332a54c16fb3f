// The one vector the coordinator holds: the sum of masked inputs in Z_2^32, and the removal of
// leftover masks in cache-sized ranges. Memory: 4 bytes a lane, whatever the number of clients.
// Thread safety: Add and RemoveMasks may run on disjoint ranges from several threads; otherwise
// confined.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/secagg/server_session.h"

namespace tutti::secagg {

class Accumulator {
 public:
  explicit Accumulator(std::uint64_t lanes) : sum_(lanes, 0) {}
  // sum[first_lane + i] += part[i]. OutOfRange when the part does not fit.
  Status Add(std::span<const std::uint32_t> part, std::uint64_t first_lane);
  // Removes every mask from lanes [first, first + count): 32 KiB ranges against all masks.
  Status RemoveMasks(std::span<const LeftoverMask> masks, std::uint64_t first, std::uint64_t count);
  std::span<const std::uint32_t> sum() const { return sum_; }
  std::uint64_t lanes() const { return sum_.size(); }
  void Clear();

 private:
  std::vector<std::uint32_t> sum_;
};

}  // namespace tutti::secagg

#include "common/secagg/accumulator.h"

#include <algorithm>
#include <vector>

namespace tutti::secagg {
namespace {

constexpr std::size_t kGroupMasks = 1000;  // expanded at a time, 176 bytes each

}  // namespace

Status Accumulator::RemoveMasks(std::span<const LeftoverMask> masks, std::uint64_t first,
                                std::uint64_t count) {
  do {
    const auto group = masks.first(std::min(kGroupMasks, masks.size()));
    masks = masks.subspan(group.size());
    std::vector<RingVector::Mask> keys;
    keys.reserve(group.size());
    for (const LeftoverMask& mask : group) {
      keys.push_back({.key = crypto::MaskKey(mask.seed), .subtract = mask.in_sum_positive});
    }
    TUTTI_TRY(sum_.AddMasks(keys, first, count));
  } while (!masks.empty());
  return OkStatus();
}

}  // namespace tutti::secagg

#include "common/secagg/accumulator.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/crypto/mask_stream.h"

namespace tutti::secagg {
namespace {

constexpr std::size_t kRangeLanes =
    8192;  // 32 KiB: stays in the first-level cache while all masks pass
constexpr std::size_t kGroupMasks = 1000;  // expanded at a time, 176 bytes each

}  // namespace

Status Accumulator::Add(std::span<const std::uint32_t> part, std::uint64_t first_lane) {
  if (first_lane > sum_.size() || part.size() > sum_.size() - first_lane) {
    return OutOfRange(tutti::Join("part of ", part.size(), " lanes at lane ", first_lane,
                                  " does not fit a vector of ", sum_.size()));
  }
  crypto::AddLanes(std::span(sum_).subspan(first_lane, part.size()), part);
  return OkStatus();
}

Status Accumulator::RemoveMasks(std::span<const LeftoverMask> masks, std::uint64_t first,
                                std::uint64_t count) {
  if (first > sum_.size() || count > sum_.size() - first) {
    return OutOfRange(tutti::Join("range of ", count, " lanes at lane ", first,
                                  " does not fit a vector of ", sum_.size()));
  }
  const std::span<std::uint32_t> range = std::span(sum_).subspan(first, count);
  while (!masks.empty()) {
    const auto group = masks.first(std::min(kGroupMasks, masks.size()));
    masks = masks.subspan(group.size());
    std::vector<crypto::MaskKey> keys;
    keys.reserve(group.size());
    for (const LeftoverMask& mask : group) {
      keys.emplace_back(mask.seed);
    }
    for (std::size_t at = 0; at < range.size(); at += kRangeLanes) {
      const auto lanes = range.subspan(at, std::min(kRangeLanes, range.size() - at));
      for (std::size_t m = 0; m < keys.size(); ++m) {
        crypto::AddMask(keys[m], lanes, first + at, group[m].in_sum_positive);
      }
    }
  }
  return OkStatus();
}

void Accumulator::Clear() { std::fill(sum_.begin(), sum_.end(), 0U); }

}  // namespace tutti::secagg

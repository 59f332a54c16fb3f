#include "common/secagg/ring.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/packing.h"

namespace tutti::secagg {
namespace {

static_assert(std::endian::native == std::endian::little, "extra lanes are moved as memory");

constexpr std::size_t kCacheBytes =
    32 * 1024;  // stays in the first-level cache while all masks pass
constexpr std::size_t kVisitBytes = 64 * 1024;
constexpr std::uint64_t kBlock = 16;  // bytes of the cipher

RingVector::Payload MakePayload(std::uint32_t lane_bits, std::uint64_t count) {
  switch (lane_bits) {
    case 16:
      return std::vector<std::uint16_t>(count);
    case 32:
      return std::vector<std::uint32_t>(count);
    default:
      return std::vector<std::uint64_t>(count);
  }
}

// The first lane of 32 bits in the stream that masks extra lanes.
std::uint64_t FirstExtraMask(const RingLayout& layout) {
  const std::uint64_t bytes = layout.values * (layout.lane_bits() / 8);
  return (bytes + kBlock - 1) / kBlock * (kBlock / 4);
}

template <typename Lane>
void AddMasksTo(std::span<Lane> lanes, std::uint64_t first_lane,
                std::span<const RingVector::Mask> masks) {
  constexpr std::size_t kRange = kCacheBytes / sizeof(Lane);
  for (std::size_t at = 0; at < lanes.size(); at += kRange) {
    const auto range = lanes.subspan(at, std::min(kRange, lanes.size() - at));
    for (const RingVector::Mask& mask : masks) {
      crypto::AddMask(mask.key, range, first_lane + at, mask.subtract);
    }
  }
}

}  // namespace

RingVector::RingVector(const RingLayout& layout, std::uint64_t first, std::uint64_t count)
    : layout_(layout), first_(first) {
  TUTTI_CHECK(layout.bits >= 1 && layout.bits <= kMostPackedBits);
  TUTTI_CHECK(first <= layout.positions() && count <= layout.positions() - first);
  TUTTI_CHECK(first % kRangeStep == 0 || first == layout.values);
  const std::uint64_t payload_end = std::min(first + count, layout.values);
  payload_ = MakePayload(layout.lane_bits(), payload_end - std::min(first, payload_end));
  extras_.resize(count - payload_size());
}

std::uint64_t RingVector::payload_size() const {
  return std::visit([](const auto& lanes) { return lanes.size(); }, payload_);
}

Status RingVector::AddMasks(std::span<const Mask> masks, std::uint64_t first, std::uint64_t count) {
  if (first < first_ || first - first_ > this->count() ||
      count > this->count() - (first - first_)) {
    return OutOfRange(Join(count, " lanes at lane ", first, " do not fit lanes ", first_, " to ",
                           first_ + this->count()));
  }
  const std::uint64_t end = first + count;
  if (const std::uint64_t payload_end = std::min(end, layout_.values); first < payload_end) {
    std::visit(
        [&](auto& lanes) {
          AddMasksTo(std::span(lanes).subspan(first - first_, payload_end - first), first, masks);
        },
        payload_);
  }
  if (const std::uint64_t start = std::max(first, layout_.values); start < end) {
    const std::uint64_t skipped = start - std::max(first_, layout_.values);
    AddMasksTo(std::span(extras_).subspan(skipped, end - start),
               FirstExtraMask(layout_) + (start - layout_.values), masks);
  }
  return OkStatus();
}

Status RingVector::Add(const RingVector& other) {
  if (other.layout_ != layout_ || other.first_ != first_ || other.count() != count()) {
    return OutOfRange(Join("a vector of ", other.count(), " lanes at lane ", other.first_,
                           " does not fit ", count(), " lanes at lane ", first_));
  }
  std::visit(
      [&other](auto& lanes) {
        const auto& others = std::get<std::decay_t<decltype(lanes)>>(other.payload_);
        for (std::size_t i = 0; i < lanes.size(); ++i) {
          lanes[i] = static_cast<std::decay_t<decltype(lanes[i])>>(lanes[i] + others[i]);
        }
      },
      payload_);
  for (std::size_t i = 0; i < extras_.size(); ++i) {
    extras_[i] += other.extras_[i];
  }
  return OkStatus();
}

Status RingVector::AddWire(BytesView part, std::uint64_t first_byte) {
  const std::uint64_t payload_bytes = layout_.payload_wire_bytes();
  const auto misfit = [&] {
    return OutOfRange(Join("a part of ", part.size(), " bytes at byte ", first_byte,
                           " does not fit lanes ", first_, " to ", first_ + count(), " of ",
                           layout_.bits, " bits"));
  };
  if (first_byte < payload_bytes) {
    const std::uint64_t first = first_byte / layout_.bits * 8;
    const BytesView packed =
        part.first(std::min<std::uint64_t>(part.size(), payload_bytes - first_byte));
    const bool to_the_end = first_byte + packed.size() == payload_bytes;
    const std::uint64_t values =
        to_the_end ? layout_.values - first : packed.size() / layout_.bits * 8;
    if (first_byte % layout_.bits != 0 || (!to_the_end && packed.size() % layout_.bits != 0) ||
        first < first_ || first - first_ + values > payload_size()) {
      return misfit();
    }
    if (to_the_end && !EndsInZeros(packed, values, layout_.bits)) {
      return InvalidArgument("the vector has bits set behind its last value");
    }
    std::visit(
        [&](auto& lanes) {
          AddPacked(packed, layout_.bits, std::span(lanes).subspan(first - first_, values));
        },
        payload_);
    part = part.subspan(packed.size());
    first_byte += packed.size();
  }
  if (part.empty()) {
    return OkStatus();
  }
  const std::uint64_t lane = (first_byte - payload_bytes) / 4;
  const std::uint64_t first_extra = std::max(first_, layout_.values) - layout_.values;
  if ((first_byte - payload_bytes) % 4 != 0 || part.size() % 4 != 0 || lane < first_extra ||
      lane - first_extra + part.size() / 4 > extras_.size()) {
    return misfit();
  }
  for (std::size_t i = 0; i < part.size() / 4; ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, part.data() + 4 * i, sizeof word);
    extras_[lane - first_extra + i] += word;
  }
  return OkStatus();
}

void RingVector::VisitWire(const std::function<void(BytesView)>& visitor) const {
  std::visit(
      [&](const auto& lanes) {
        using Lane = typename std::decay_t<decltype(lanes)>::value_type;
        const std::size_t step = kVisitBytes / layout_.bits * 8;
        Bytes piece;
        for (std::size_t at = 0; at < lanes.size(); at += step) {
          const auto part =
              std::span<const Lane>(lanes).subspan(at, std::min(step, lanes.size() - at));
          piece.resize(PackedBytes(part.size(), layout_.bits));
          Pack(part, layout_.bits, std::span<std::uint8_t>(piece));
          visitor(piece);
        }
      },
      payload_);
  if (!extras_.empty()) {
    visitor({reinterpret_cast<const std::uint8_t*>(extras_.data()), 4 * extras_.size()});
  }
}

Bytes ToWire(const RingVector& vector) {
  Bytes wire;
  wire.reserve(vector.layout().wire_bytes());
  vector.VisitWire(
      [&wire](BytesView piece) { wire.insert(wire.end(), piece.begin(), piece.end()); });
  return wire;
}

Digest WireDigest(const RingVector& vector) {
  crypto::Sha256Stream hash;
  vector.VisitWire([&hash](BytesView piece) { hash.Update(piece); });
  return hash.Finish();
}

}  // namespace tutti::secagg

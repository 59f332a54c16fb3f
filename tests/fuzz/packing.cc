// Vectors as they travel: any values packed and added again, any bytes added as a vector. A slow
// reader, one bit after the other, says what is right.
#include <vector>

#include "common/secagg/packing.h"
#include "common/secagg/ring.h"
#include "tests/fuzz/source.h"
#include "tests/fuzz/target.h"
#include "tests/ring_lanes.h"

namespace tutti::fuzz {
namespace {

constexpr std::uint64_t Low(std::uint32_t bits) { return (std::uint64_t{1} << bits) - 1; }

std::uint64_t BitByBit(BytesView packed, std::uint64_t index, std::uint32_t bits) {
  std::uint64_t value = 0;
  for (std::uint32_t i = 0; i < bits; ++i) {
    const std::uint64_t bit = index * bits + i;
    value |= std::uint64_t{packed[bit / 8]} >> (bit % 8) % 8 << 63 >> (63 - i);
  }
  return value;
}

template <typename Lane>
void RoundTrip(std::uint32_t bits, Source& source) {
  std::vector<Lane> values(source.Below(600)), sum(values.size());
  for (Lane& value : values) value = static_cast<Lane>(source.U64());
  for (Lane& lane : sum) lane = static_cast<Lane>(source.U32());
  const std::vector<Lane> before = sum;
  Bytes packed(secagg::PackedBytes(values.size(), bits));
  secagg::Pack(std::span<const Lane>(values), bits, std::span(packed));
  Expect(secagg::EndsInZeros(packed, values.size(), bits), "unused bits are zero");
  secagg::AddPacked(packed, bits, std::span(sum));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Expect(BitByBit(packed, i, bits) == (values[i] & Low(bits)), "a value stands at its bits");
    const Lane wanted = static_cast<Lane>(before[i] + values[i]);
    Expect((wanted & Low(bits)) == (sum[i] & Low(bits)), "what was packed is added");
  }
}

// Bytes that are no vector are refused or a vector all the same; parts add up to the whole.
void AddAnything(Source& source) {
  const secagg::RingLayout layout{.values = source.Below(300),
                                  .extra_lanes = source.U8() % 8U,
                                  .bits = 1 + source.U8() % secagg::kMostPackedBits};
  if (layout.values == 0) return;
  Bytes wire(layout.wire_bytes());
  source.Fill(wire);
  secagg::RingVector whole(layout), parts(layout), strange(layout);
  const bool clean = secagg::EndsInZeros(BytesView(wire).first(layout.payload_wire_bytes()),
                                         layout.values, layout.bits);
  const Status added = whole.AddWire(wire, 0);
  Expect(added.ok() == clean, "a whole vector is refused for unused bits alone");
  (void)strange.AddWire(source.Take(source.U16()), source.U32());
  if (!clean) return;
  Expect(secagg::ToWire(whole) == wire, "a vector has one encoding");
  for (std::size_t at = 0; at < wire.size();) {
    std::size_t count = wire.size() - at;
    if (at < layout.payload_wire_bytes()) {
      count = std::min<std::size_t>(count, layout.bits * (1 + source.U8() % 40U));
    } else {
      count = std::min<std::size_t>(count, 4 * (1 + source.U8() % 4U));
    }
    if (at < layout.payload_wire_bytes() && at + count > layout.payload_wire_bytes()) {
      count = wire.size() - at;
    }
    Expect(parts.AddWire(BytesView(wire).subspan(at, count), at).ok(), "parts fit");
    at += count;
  }
  Expect(secagg::ToWire(parts) == wire, "parts add up to the whole");
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, bytes] = fuzz::Choose(data, size);
  fuzz::Source source(bytes);
  const std::uint32_t number = choice / 4;
  switch (choice % 4) {
    case 0:
      fuzz::RoundTrip<std::uint16_t>(1 + number % 16, source);
      break;
    case 1:
      fuzz::RoundTrip<std::uint32_t>(1 + number % 32, source);
      break;
    case 2:
      fuzz::RoundTrip<std::uint64_t>(1 + number % secagg::kMostPackedBits, source);
      break;
    default:
      fuzz::AddAnything(source);
  }
  return 0;
}

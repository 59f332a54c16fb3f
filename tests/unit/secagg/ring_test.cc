// Vectors of the ring: what they weigh, how masks and parts are added, in every lane width.
#include "common/secagg/ring.h"

#include "common/crypto/hash.h"
#include "common/secagg/packing.h"
#include "tests/catch.h"
#include "tests/ring_lanes.h"
#include "tests/seeded_rng.h"

namespace tutti::secagg {
namespace {

void FillAtRandom(RingVector& vector, TestRng& draw) {
  FillVector(vector, [&draw] { return draw.Next(); });
}

std::vector<RingVector::Mask> SomeMasks(TestRng& draw, std::size_t count) {
  std::vector<RingVector::Mask> masks;
  for (std::size_t i = 0; i < count; ++i) {
    crypto::MaskSeed seed;
    for (std::uint8_t& byte : seed.mutable_view()) {
      byte = static_cast<std::uint8_t>(draw.Next());
    }
    masks.push_back({.key = crypto::MaskKey(seed), .subtract = i % 3 == 0});
  }
  return masks;
}

const RingLayout kLayouts[] = {{.values = 9'001, .extra_lanes = 1, .bits = 15},
                               {.values = 20'000, .extra_lanes = 3, .bits = 16},
                               {.values = 9'003, .extra_lanes = 2, .bits = 23},
                               {.values = 9'001, .extra_lanes = 1, .bits = 32},
                               {.values = 5'007, .extra_lanes = 4, .bits = 45},
                               {.values = 3, .extra_lanes = 1, .bits = 28}};

}  // namespace

TEST_CASE("the ring is as small as the cohort's sum allows", "[secagg]") {
  REQUIRE(RingBits(100, 16) == 23);  // 100 * 32769 = 3276900 < 2^22
  REQUIRE(RingBits(1000, 16) == 26);
  REQUIRE(RingBits(10'000, 16) == 30);
  REQUIRE(RingBits(10'000, 30) == 44);
  for (std::uint32_t clients = 2; clients <= 10'000; clients += 7) {
    for (std::uint32_t bits = 4; bits <= 30; ++bits) {
      const std::uint64_t largest = clients * ((std::uint64_t{1} << (bits - 1)) + 1);
      const std::uint32_t ring = RingBits(clients, bits);
      REQUIRE(largest < std::uint64_t{1} << (ring - 1));
      REQUIRE(largest >= std::uint64_t{1} << (ring - 2));
    }
  }
  REQUIRE(RingLayout{.values = 8, .extra_lanes = 2, .bits = 23}.wire_bytes() == 23 + 8);
  REQUIRE(RingLayout{.bits = 16}.lane_bits() == 16);
  REQUIRE(RingLayout{.bits = 17}.lane_bits() == 32);
  REQUIRE(RingLayout{.bits = 33}.lane_bits() == 64);
}

TEST_CASE("masks added in any ranges cancel masks added at once", "[secagg]") {
  TestRng draw(3);
  for (const RingLayout& layout : kLayouts) {
    RingVector vector(layout);
    FillAtRandom(vector, draw);
    const Bytes before = ToWire(vector);
    std::vector<RingVector::Mask> masks = SomeMasks(draw, 5);
    REQUIRE(vector.AddMasks(masks, 0, layout.positions()).ok());
    const Bytes masked = ToWire(vector);
    REQUIRE(masked != before);
    for (RingVector::Mask& mask : masks) {
      mask.subtract = !mask.subtract;
    }
    for (std::uint64_t first = 0; first < layout.positions();) {
      const std::uint64_t count =
          std::min<std::uint64_t>(1 + draw.Below(3'000), layout.positions() - first);
      REQUIRE(vector.AddMasks(masks, first, count).ok());
      first += count;
    }
    REQUIRE(ToWire(vector) == before);
    REQUIRE(vector.AddMasks(masks, 1, layout.positions()).code() == StatusCode::kOutOfRange);
    REQUIRE(vector.AddMasks(masks, ~std::uint64_t{0}, 1).code() == StatusCode::kOutOfRange);
  }
}

TEST_CASE("vectors that travelled in parts have the plain sum", "[secagg]") {
  TestRng draw(4);
  for (const RingLayout& layout : kLayouts) {
    RingVector sum(layout);
    RingVector expected(layout);
    for (int client = 0; client < 5; ++client) {
      RingVector vector(layout);
      FillAtRandom(vector, draw);
      const Bytes wire = ToWire(vector);
      REQUIRE(wire.size() == layout.wire_bytes());
      REQUIRE(WireDigest(vector) == crypto::Sha256(wire));
      REQUIRE(expected.AddWire(wire, 0).ok());
      const std::size_t payload = layout.payload_wire_bytes();
      for (std::size_t at = 0; at < wire.size();) {
        const std::size_t unit = at < payload ? layout.bits : 4;
        std::size_t size = std::min<std::size_t>(unit * (1 + draw.Below(400)), wire.size() - at);
        if (at < payload && at + size > payload) {
          size = draw.Below(2) == 0 ? payload - at : wire.size() - at;
        }
        REQUIRE(sum.AddWire(BytesView(wire).subspan(at, size), at).ok());
        at += size;
      }
    }
    REQUIRE(ToWire(sum) == ToWire(expected));
  }
}

TEST_CASE("ranges summed apart are the ranges of the whole", "[secagg]") {
  TestRng draw(5);
  for (const RingLayout& layout : kLayouts) {
    RingVector vector(layout);
    FillAtRandom(vector, draw);
    const std::vector<RingVector::Mask> masks = SomeMasks(draw, 4);
    const Bytes wire = ToWire(vector);
    REQUIRE(vector.AddMasks(masks, 0, layout.positions()).ok());
    const std::uint64_t cut = layout.values / 3 / RingVector::kRangeStep * RingVector::kRangeStep;
    const std::uint64_t cut_byte = PackedBytes(cut, layout.bits);
    RingVector low(layout, 0, cut);
    RingVector high(layout, cut, layout.positions() - cut);
    REQUIRE(low.AddWire(BytesView(wire).first(cut_byte), 0).ok());
    REQUIRE(high.AddWire(BytesView(wire).subspan(cut_byte), cut_byte).ok());
    REQUIRE(low.AddMasks(masks, 0, cut).ok());
    REQUIRE(high.AddMasks(masks, cut, layout.positions() - cut).ok());
    Bytes joined = ToWire(low);
    const Bytes rest = ToWire(high);
    joined.insert(joined.end(), rest.begin(), rest.end());
    REQUIRE(joined == ToWire(vector));
    if (cut > 0) {
      REQUIRE(high.AddWire(BytesView(wire).first(cut_byte), 0).code() == StatusCode::kOutOfRange);
    }
  }
}

TEST_CASE("a part that does not fit is refused", "[secagg]") {
  const RingLayout layout{.values = 20, .extra_lanes = 2, .bits = 23};
  RingVector sum(layout);
  Bytes wire(layout.wire_bytes(), 0);
  const BytesView all(wire);
  REQUIRE(sum.AddWire(all, 0).ok());
  REQUIRE(sum.AddWire(all.first(23), 0).ok());
  REQUIRE(sum.AddWire({}, layout.wire_bytes()).ok());
  for (const auto& [size, first] : {std::pair<std::size_t, std::uint64_t>{22, 0},
                                    {23, 1},
                                    {23, 24},
                                    {wire.size(), 23},
                                    {4, 59},
                                    {3, 58},
                                    {12, 58},
                                    {4, 1 << 20}}) {
    INFO(size << " bytes at " << first);
    REQUIRE(sum.AddWire(all.first(size), first).code() == StatusCode::kOutOfRange);
  }
  wire[layout.payload_wire_bytes() - 1] = 0x80;  // 20 * 23 = 460 of 464 bits
  REQUIRE(sum.AddWire(all, 0).code() == StatusCode::kInvalidArgument);
}

TEST_CASE("adding a vector is adding what would have travelled", "[secagg]") {
  TestRng draw(5);
  for (const RingLayout& layout : kLayouts) {
    RingVector one(layout);
    RingVector other(layout);
    FillAtRandom(one, draw);
    FillAtRandom(other, draw);
    RingVector expected = one;
    REQUIRE(expected.AddWire(ToWire(other), 0).ok());
    REQUIRE(one.Add(other).ok());
    REQUIRE(ToWire(one) == ToWire(expected));
  }
  RingVector small(kLayouts[0]);
  REQUIRE(small.Add(RingVector(kLayouts[1])).code() == StatusCode::kOutOfRange);
}

}  // namespace tutti::secagg

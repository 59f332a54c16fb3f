// Packing against a bit-by-bit reference, for every width and for lengths around the kernels'
// groups.
#include "common/secagg/packing.h"

#include <vector>

#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::secagg {
namespace {

template <typename Lane>
Bytes PackedBitByBit(const std::vector<Lane>& values, std::uint32_t bits) {
  Bytes packed((values.size() * bits + 7) / 8, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::uint32_t bit = 0; bit < bits; ++bit) {
      const std::size_t place = i * bits + bit;
      packed[place / 8] =
          static_cast<std::uint8_t>(packed[place / 8] | ((values[i] >> bit & 1) << place % 8));
    }
  }
  return packed;
}

template <typename Lane>
std::vector<Lane> RandomLanes(TestRng& draw, std::size_t count) {
  std::vector<Lane> lanes(count);
  for (Lane& lane : lanes) {
    lane = static_cast<Lane>(draw.Next());
  }
  return lanes;
}

template <typename Lane>
void CheckWidth(std::uint32_t bits, TestRng& draw) {
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  for (const std::size_t count : {0U, 1U, 7U, 8U, 9U, 15U, 16U, 31U, 64U, 65U, 1000U}) {
    const std::vector<Lane> values = RandomLanes<Lane>(draw, count);
    Bytes packed(PackedBytes(count, bits), 0xff);
    Pack<Lane>(values, bits, packed);
    REQUIRE(packed == PackedBitByBit(values, bits));
    REQUIRE(EndsInZeros(packed, count, bits));

    const std::vector<Lane> before = RandomLanes<Lane>(draw, count);
    std::vector<Lane> sum = before;
    AddPacked<Lane>(packed, bits, sum);
    for (std::size_t i = 0; i < count; ++i) {
      REQUIRE(sum[i] == static_cast<Lane>(before[i] + (values[i] & mask)));
    }
  }
}

}  // namespace

TEST_CASE("packed values are the reference's bits and add up again", "[secagg]") {
  TestRng draw(7);
  for (std::uint32_t bits = 1; bits <= kMostPackedBits; ++bits) {
    INFO(bits << " bits");
    if (bits <= 16) {
      CheckWidth<std::uint16_t>(bits, draw);
    }
    if (bits <= 32) {
      CheckWidth<std::uint32_t>(bits, draw);
    }
    CheckWidth<std::uint64_t>(bits, draw);
  }
}

TEST_CASE("sums of packed vectors are exact in the ring of b bits", "[secagg]") {
  TestRng draw(8);
  constexpr std::uint32_t kBits = 23;
  constexpr std::size_t kCount = 200;
  std::vector<std::uint64_t> plain(kCount, 0);
  std::vector<std::uint32_t> sum(kCount, 0);
  for (int client = 0; client < 500; ++client) {
    const auto values = RandomLanes<std::uint32_t>(draw, kCount);
    Bytes packed(PackedBytes(kCount, kBits));
    Pack<std::uint32_t>(values, kBits, packed);
    AddPacked<std::uint32_t>(packed, kBits, sum);
    for (std::size_t i = 0; i < kCount; ++i) {
      plain[i] += values[i];
    }
  }
  constexpr std::uint64_t kMask = (1U << kBits) - 1;
  for (std::size_t i = 0; i < kCount; ++i) {
    REQUIRE((sum[i] & kMask) == (plain[i] & kMask));
  }
}

TEST_CASE("bits behind the last value are seen", "[secagg]") {
  Bytes packed(PackedBytes(3, 5), 0);  // 15 of 16 bits
  REQUIRE(EndsInZeros(packed, 3, 5));
  packed.back() = 0x80;
  REQUIRE_FALSE(EndsInZeros(packed, 3, 5));
  REQUIRE(EndsInZeros(Bytes(5, 0xff), 8, 5));  // no bit is left over
  REQUIRE(EndsInZeros({}, 0, 5));
}

}  // namespace tutti::secagg

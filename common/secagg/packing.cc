#include "common/secagg/packing.h"

#include <bit>
#include <cstring>
#include <limits>

#include "common/base/status.h"
#include "common/secagg/packing_kernel.h"

namespace tutti::secagg {
namespace {

static_assert(std::endian::native == std::endian::little, "words are moved as little-endian bytes");

constexpr std::size_t kWord = sizeof(std::uint64_t);

template <typename Lane>
void CheckSizes(std::size_t count, std::uint32_t bits, std::size_t bytes) {
  TUTTI_CHECK(bits >= 1 && bits <= kMostPackedBits && bits <= std::numeric_limits<Lane>::digits);
  TUTTI_CHECK(bytes == PackedBytes(count, bits));
}

// Value `index` alone; works up to the last byte.
std::uint64_t ValueAt(BytesView packed, std::uint64_t index, std::uint32_t bits) {
  const std::uint64_t bit = index * bits;
  const std::size_t byte = bit / 8;
  std::uint64_t word = 0;
  std::memcpy(&word, packed.data() + byte, std::min(kWord, packed.size() - byte));
  return (word >> (bit % 8)) & ((std::uint64_t{1} << bits) - 1);
}

}  // namespace

std::uint64_t PackedBytes(std::uint64_t count, std::uint32_t bits) {
  return count / 8 * bits + (count % 8 * bits + 7) / 8;
}

template <typename Lane>
void Pack(std::span<const Lane> values, std::uint32_t bits, std::span<std::uint8_t> packed) {
  CheckSizes<Lane>(values.size(), bits, packed.size());
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  std::uint8_t* out = packed.data();
  std::uint64_t word = 0;
  std::uint32_t filled = 0;  // bits of `word`, below 64
  for (const Lane lane : values) {
    const std::uint64_t value = lane & mask;
    word |= value << filled;
    filled += bits;
    if (filled >= 64) {
      std::memcpy(out, &word, kWord);
      out += kWord;
      filled -= 64;
      word = filled == 0 ? 0 : value >> (bits - filled);
    }
  }
  if (filled > 0) {
    std::memcpy(out, &word, (filled + 7) / 8);
  }
}

template <typename Lane>
void AddPacked(BytesView packed, std::uint32_t bits, std::span<Lane> sum) {
  CheckSizes<Lane>(sum.size(), bits, packed.size());
  std::size_t done = AddPackedGroups(packed, bits, sum);
  for (; done < sum.size(); ++done) {
    sum[done] = static_cast<Lane>(sum[done] + ValueAt(packed, done, bits));
  }
}

bool EndsInZeros(BytesView packed, std::uint64_t count, std::uint32_t bits) {
  const std::uint64_t used = count % 8 * bits % 8;
  return used == 0 || packed.empty() || packed.back() >> used == 0;
}

template void Pack(std::span<const std::uint16_t>, std::uint32_t, std::span<std::uint8_t>);
template void Pack(std::span<const std::uint32_t>, std::uint32_t, std::span<std::uint8_t>);
template void Pack(std::span<const std::uint64_t>, std::uint32_t, std::span<std::uint8_t>);
template void AddPacked(BytesView, std::uint32_t, std::span<std::uint16_t>);
template void AddPacked(BytesView, std::uint32_t, std::span<std::uint32_t>);
template void AddPacked(BytesView, std::uint32_t, std::span<std::uint64_t>);

}  // namespace tutti::secagg

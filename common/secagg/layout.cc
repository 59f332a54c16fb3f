#include "common/secagg/layout.h"

#include <bit>

#include "common/secagg/packing.h"

namespace tutti::secagg {

std::uint64_t RingLayout::payload_wire_bytes() const { return PackedBytes(values, bits); }

std::uint8_t RingLayout::padding_bits() const {
  const std::uint64_t used = values % 8 * bits % 8;
  return static_cast<std::uint8_t>(used == 0 ? 0 : 0xff << used);
}

std::uint32_t RingBits(std::uint32_t clients, std::uint32_t value_bits) {
  const std::uint64_t largest = clients * ((std::uint64_t{1} << (value_bits - 1)) + 1);
  return static_cast<std::uint32_t>(std::bit_width(largest)) + 1;
}

}  // namespace tutti::secagg

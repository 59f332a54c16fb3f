// Ring elements of b bits side by side, as vectors travel: value i is bits [i*b, (i+1)*b) of the
// byte string, lowest bit first, the unused bits of the last byte are zero. Eight values fill b
// bytes exactly, so a part that starts at a multiple of 8 values starts at a byte. A lane is the
// unsigned integer a value is computed in; it may be wider than b: packing drops the bits above b,
// adding leaves them undefined. Thread safety: pure functions over the caller's memory.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/bytes.h"

namespace tutti::secagg {

inline constexpr std::uint32_t kMostPackedBits = 57;  // a value and its bit offset fit in 8 bytes

// ceil(count * bits / 8); count below 2^58.
std::uint64_t PackedBytes(std::uint64_t count, std::uint32_t bits);

// Lane is std::uint16_t, std::uint32_t or std::uint64_t; bits is 1 to the smaller of its width and
// kMostPackedBits. packed.size() is PackedBytes of the count in all of them.
template <typename Lane>
void Pack(std::span<const Lane> values, std::uint32_t bits, std::span<std::uint8_t> packed);

// sum[i] += value i of `packed`, mod 2^width; exact mod 2^bits.
template <typename Lane>
void AddPacked(BytesView packed, std::uint32_t bits, std::span<Lane> sum);

// True when the bits after the last of `count` values are zero: one vector has one encoding.
bool EndsInZeros(BytesView packed, std::uint64_t count, std::uint32_t bits);

}  // namespace tutti::secagg

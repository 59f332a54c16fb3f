// Spreads the length of a vector evenly over its values before they are rounded to a grid: random
// signs and a Walsh-Hadamard transform, block by block. A rotation: lengths and angles stay, sums
// of rotated vectors are rotated sums. After it a value is seldom larger than a few times length /
// sqrt(block). Not a secret and no part of any guarantee: the seed is public. Thread safety: value
// type and pure functions. Source: Ailon, Chazelle 2009; as used by Suresh et al. 2017,
// arXiv:1611.00429.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace tutti::secagg {

// Blocks of 2^block_bits values; the rest is filled up with zeros to the next power of two. A value
// is spread over its block only: larger blocks are flatter and slower (docs/performance.md).
struct RotationShape {
  static constexpr std::uint32_t kMostBlockBits = 24;
  std::uint64_t values = 0;       // before padding
  std::uint32_t block_bits = 16;  // 0 .. kMostBlockBits

  std::uint64_t padded_values() const;  // less than values + 2^block_bits
};

// In place; data.size() == shape.padded_values() and what lies behind shape.values is zero before
// Rotate. InverseRotate gives the values back, and about zero behind them. InvalidArgument: wrong
// size or block_bits. Accuracy: the result's distance to the exact one is at most
// (block_bits + 2) * 2^-24 of the vector's length.
Status Rotate(const RotationShape& shape, const ByteArray<32>& public_seed, std::span<float> data);
Status InverseRotate(const RotationShape& shape, const ByteArray<32>& public_seed,
                     std::span<float> data);

}  // namespace tutti::secagg

// Arithmetic modulo p = 2^255 - 19, the field of Ed25519, in five limbs of 51 bits. Internal to
// common/crypto, for verifying public signatures only: nothing here takes the same time for all
// values, so no secret may come near it. Portable: one 64 x 64 -> 128 bit product, no intrinsics.
// Thread safety: value type and pure functions.
//
// Bounds. A "tight" element, what Multiply, Square and FieldFromBytes give, has limbs below
// 2^51 + 2^18. Add and Subtract do not carry: they take a tight element or one sum of two tight
// ones and give limbs below 2^54, which is what Multiply, Square and ToBytes take.
// Source: Bernstein, Duif, Lange, Schwabe, Yang 2012, "High-speed high-security signatures",
// section 4 (radix 2^51).
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/bytes.h"

namespace tutti::crypto::ed25519 {

struct Field {
  std::uint64_t limb[5];  // the value is the sum of limb[i] * 2^(51 i)
};

inline constexpr Field kFieldZero{{0, 0, 0, 0, 0}};
inline constexpr Field kFieldOne{{1, 0, 0, 0, 0}};

// The low 255 bits, little-endian. None when they are not below p: such an encoding has a second
// form. The top bit is the caller's to read.
std::optional<Field> FieldFromBytes(const ByteArray<32>& bytes);
ByteArray<32> ToBytes(const Field& a);  // the one form below p

bool IsZero(const Field& a);
bool IsOdd(const Field& a);  // the lowest bit of the form below p
// a^((p - 5) / 8) = a^(2^252 - 3), the exponent of square roots (RFC 8032 section 5.1.3).
Field PowerForRoot(const Field& a);

inline Field Add(const Field& a, const Field& b) {
  Field sum;
  for (int i = 0; i < 5; ++i) {
    sum.limb[i] = a.limb[i] + b.limb[i];
  }
  return sum;
}

// a + 4 p - b: no limb goes below zero, as b's are below 2^53 - 76.
inline Field Subtract(const Field& a, const Field& b) {
  constexpr std::uint64_t kFourPLow = 0x1fffffffffffb4;
  constexpr std::uint64_t kFourP = 0x1ffffffffffffc;
  Field difference;
  difference.limb[0] = a.limb[0] + kFourPLow - b.limb[0];
  for (int i = 1; i < 5; ++i) {
    difference.limb[i] = a.limb[i] + kFourP - b.limb[i];
  }
  return difference;
}

// Here and not in a .cc file, because a point operation is little more than seven of them.
namespace internal {

__extension__ using Wide = unsigned __int128;

inline constexpr std::uint64_t kLimbMask = (std::uint64_t{1} << 51) - 1;

inline Wide Product(std::uint64_t a, std::uint64_t b) { return static_cast<Wide>(a) * b; }

// Two rounds of carries in which no limb waits for another's, half the latency of one chain. The
// columns are below 77 * 2^108, the last one below 5 * 2^108 as it has no factors 19, so after the
// first round all limbs are below 2^64, and after the second below 2^51 + 19 * 2^13.
inline Field Carried(const Wide (&column)[5]) {
  std::uint64_t carry[5];
  Field out;
  for (int i = 0; i < 5; ++i) {
    carry[i] = static_cast<std::uint64_t>(column[i] >> 51);
    out.limb[i] = static_cast<std::uint64_t>(column[i]) & kLimbMask;
  }
  for (int round = 0; round < 2; ++round) {
    out.limb[0] += 19 * carry[4];  // 2^255 = 19 (mod p)
    for (int i = 1; i < 5; ++i) {
      out.limb[i] += carry[i - 1];
    }
    if (round == 1) break;
    for (int i = 0; i < 5; ++i) {
      carry[i] = out.limb[i] >> 51;
      out.limb[i] &= kLimbMask;
    }
  }
  return out;
}

}  // namespace internal

inline Field Multiply(const Field& a, const Field& b) {
  using internal::Product;
  const std::uint64_t* const x = a.limb;
  const std::uint64_t* const y = b.limb;
  const std::uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4];
  const internal::Wide column[5] = {
      Product(x[0], y[0]) + Product(x[1], y4) + Product(x[2], y3) + Product(x[3], y2) +
          Product(x[4], y1),
      Product(x[0], y[1]) + Product(x[1], y[0]) + Product(x[2], y4) + Product(x[3], y3) +
          Product(x[4], y2),
      Product(x[0], y[2]) + Product(x[1], y[1]) + Product(x[2], y[0]) + Product(x[3], y4) +
          Product(x[4], y3),
      Product(x[0], y[3]) + Product(x[1], y[2]) + Product(x[2], y[1]) + Product(x[3], y[0]) +
          Product(x[4], y4),
      Product(x[0], y[4]) + Product(x[1], y[3]) + Product(x[2], y[2]) + Product(x[3], y[1]) +
          Product(x[4], y[0])};
  return internal::Carried(column);
}

inline Field Square(const Field& a) {
  using internal::Product;
  const std::uint64_t* const x = a.limb;
  const std::uint64_t twice0 = 2 * x[0], twice1 = 2 * x[1], twice2 = 2 * x[2];
  const std::uint64_t x3 = 19 * x[3], x4 = 19 * x[4];
  const internal::Wide column[5] = {
      Product(x[0], x[0]) + Product(twice1, x4) + Product(twice2, x3),
      Product(twice0, x[1]) + Product(twice2, x4) + Product(x[3], x3),
      Product(twice0, x[2]) + Product(x[1], x[1]) + Product(2 * x[3], x4),
      Product(twice0, x[3]) + Product(twice1, x[2]) + Product(x[4], x4),
      Product(twice0, x[4]) + Product(twice1, x[3]) + Product(x[2], x[2])};
  return internal::Carried(column);
}

}  // namespace tutti::crypto::ed25519

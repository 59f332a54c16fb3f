// The group of Ed25519, -x^2 + y^2 = 1 + d x^2 y^2 over the field of field25519.h, and a weighted
// sum of many of its points. Internal to common/crypto, for verifying public signatures only:
// nothing here takes the same time for all values, so no secret may come near it.
// Thread safety: value types and pure functions.
// Sources: RFC 8032 section 5.1.3 (decoding); Hisil, Wong, Carter, Dawson 2008, "Twisted Edwards
// curves revisited", sections 3.1 to 3.3 (the formulas: complete for all points of this curve, as
// -1 is a square and d is none); Bernstein, Doumen, Lange, Oosterwijk 2012, "Faster batch forgery
// identification", section 4 (bucket sums, after Pippenger).
#pragma once

#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/crypto/field25519.h"

namespace tutti::crypto::ed25519 {

// x = X / Z, y = Y / Z, T = X Y / Z; tight coordinates.
struct Point {
  Field x, y, z, t;
};

// A point with Z = 1 in the form that is cheapest to add to another: y + x, y - x, 2 d x y.
struct AddedPoint {
  Field y_plus_x, y_minus_x, xy2d;
};

inline constexpr Point kNeutral{kFieldZero, kFieldOne, kFieldOne, kFieldZero};

// The point that 32 bytes stand for. None when y is not below p, when no point has it, or when x is
// 0 and its sign bit 1: an encoding that comes back is the point's only one.
std::optional<AddedPoint> Decode(const ByteArray<32>& encoding);
AddedPoint BasePoint();

// Whether the bytes, with the sign of x ignored, are one of the eight points whose order divides 8.
// False for encodings with y not below p: Decode refuses those.
bool HasSmallOrder(const ByteArray<32>& encoding);

Point Sum(const Point& a, const AddedPoint& b);
Point Double(const Point& a);
bool IsNeutral(const Point& a);

// One summand: point times scalar, which is little-endian and below 2^253.
struct Term {
  AddedPoint point;
  ByteArray<32> scalar;
};

// The sum of all terms' products. About 60 additions a term at 1,000 full scalars, half of that
// for scalars below 2^128; a term's zero digits cost nothing.
Point WeightedSum(std::span<const Term> terms);

}  // namespace tutti::crypto::ed25519

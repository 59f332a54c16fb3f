#include "common/crypto/edwards25519.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace tutti::crypto::ed25519 {
namespace {

// RFC 8032 section 5.1: d = -121665 / 121666, a square root of -1, and the base point.
constexpr Field kD{
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
constexpr Field kTwoD{
    {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
constexpr Field kRootOfMinusOne{
    {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};
constexpr Field kMinusOne{
    {0x7ffffffffffec, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff}};
constexpr Field kBaseX{
    {0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe, 0x216936d3cd6e5}};
constexpr Field kBaseY{
    {0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333, 0x6666666666666}};

constexpr int kScalarBits = 253;

AddedPoint Added(const Field& x, const Field& y) {
  return {Add(y, x), Subtract(y, x), Multiply(Multiply(x, y), kTwoD)};
}

// x with x^2 = u / v, either of the two; none when the quotient is no square. RFC 8032 section
// 5.1.3, steps 2 and 3. `u` is subtracted, so it is tight or a sum.
std::optional<Field> RootOfQuotient(const Field& u, const Field& v) {
  const Field v3 = Multiply(Square(v), v);
  const Field v7 = Multiply(Square(v3), v);
  const Field root = Multiply(Multiply(u, v3), PowerForRoot(Multiply(u, v7)));
  const Field check = Multiply(v, Square(root));
  if (IsZero(Subtract(check, u))) {
    return root;
  }
  if (IsZero(Add(check, u))) {
    return Multiply(root, kRootOfMinusOne);
  }
  return std::nullopt;
}

// a + b, or a - b for `sign` -1: -(x, y) = (-x, y) swaps b's first two coordinates and negates the
// third.
template <int sign>
Point SumOrDifference(const Point& a, const AddedPoint& b) {
  const Field by_minus = Multiply(Subtract(a.y, a.x), sign > 0 ? b.y_minus_x : b.y_plus_x);
  const Field by_plus = Multiply(Add(a.y, a.x), sign > 0 ? b.y_plus_x : b.y_minus_x);
  const Field cross = Multiply(a.t, b.xy2d);
  const Field twice_z = Add(a.z, a.z);
  const Field e = Subtract(by_plus, by_minus);
  const Field f = sign > 0 ? Subtract(twice_z, cross) : Add(twice_z, cross);
  const Field g = sign > 0 ? Add(twice_z, cross) : Subtract(twice_z, cross);
  const Field h = Add(by_plus, by_minus);
  return {Multiply(e, f), Multiply(g, h), Multiply(f, g), Multiply(e, h)};
}

Point Sum(const Point& a, const Point& b) {
  const Field by_minus = Multiply(Subtract(a.y, a.x), Subtract(b.y, b.x));
  const Field by_plus = Multiply(Add(a.y, a.x), Add(b.y, b.x));
  const Field cross = Multiply(Multiply(a.t, b.t), kTwoD);
  const Field product_z = Multiply(a.z, b.z);
  const Field twice_z = Add(product_z, product_z);
  const Field e = Subtract(by_plus, by_minus);
  const Field f = Subtract(twice_z, cross);
  const Field g = Add(twice_z, cross);
  const Field h = Add(by_plus, by_minus);
  return {Multiply(e, f), Multiply(g, h), Multiply(f, g), Multiply(e, h)};
}

// Bits first .. first + 15 of a scalar; zeros beyond its end.
unsigned BitsFrom(const ByteArray<32>& scalar, int first) {
  unsigned bits = 0;
  for (int i = 2; i >= 0; --i) {
    const auto byte = static_cast<std::size_t>(first / 8 + i);
    bits = bits << 8 | (byte < scalar.size() ? scalar[byte] : 0U);
  }
  return bits >> (first % 8);
}

// The digit of `window` in radix 2^width with digits from -2^(width-1) to 2^(width-1): the window's
// bits plus the topmost bit below them, minus 2^width when the window's own top bit is set.
int SignedDigit(const ByteArray<32>& scalar, int window, int width) {
  const int first = window * width;
  const int carry = first == 0 ? 0 : static_cast<int>(BitsFrom(scalar, first - 1) & 1U);
  const int bits = static_cast<int>(BitsFrom(scalar, first) & ((1U << width) - 1));
  return bits + carry - (bits >> (width - 1) << width);
}

// The width of digits with the fewest additions. Each window adds every term to a bucket once and
// every bucket to two sums; wider digits mean fewer windows and more buckets.
int BestWidth(std::size_t terms) {
  int best = 0;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (int width = 2; width <= 12; ++width) {
    const auto windows = static_cast<std::size_t>(kScalarBits / width + 1);
    const std::size_t additions = windows * (terms + (std::size_t{2} << (width - 1)));
    if (additions < fewest) {
      fewest = additions;
      best = width;
    }
  }
  return best;
}

// The sum over all terms of digit times point: bucket i collects the points with digit i + 1 or,
// subtracted, -(i + 1); bucket i then counts i + 1 times by being in that many partial sums.
Point WindowSum(std::span<const Term> terms, int window, int width, std::span<Point> buckets) {
  std::ranges::fill(buckets, kNeutral);
  for (const Term& term : terms) {
    const int digit = SignedDigit(term.scalar, window, width);
    if (digit > 0) {
      Point& bucket = buckets[static_cast<std::size_t>(digit) - 1];
      bucket = SumOrDifference<1>(bucket, term.point);
    } else if (digit < 0) {
      Point& bucket = buckets[static_cast<std::size_t>(-digit) - 1];
      bucket = SumOrDifference<-1>(bucket, term.point);
    }
  }
  Point partial = kNeutral;
  Point total = kNeutral;
  for (std::size_t i = buckets.size(); i > 0; --i) {
    partial = Sum(partial, buckets[i - 1]);
    total = Sum(total, partial);
  }
  return total;
}

}  // namespace

std::optional<AddedPoint> Decode(const ByteArray<32>& encoding) {
  const std::optional<Field> y = FieldFromBytes(encoding);
  if (!y.has_value()) {
    return std::nullopt;
  }
  const Field y2 = Square(*y);
  const std::optional<Field> root =
      RootOfQuotient(Add(y2, kMinusOne), Add(Multiply(kD, y2), kFieldOne));
  if (!root.has_value()) {
    return std::nullopt;
  }
  const bool odd = encoding[31] >> 7 != 0;
  if (odd && IsZero(*root)) {
    return std::nullopt;
  }
  const Field minus_root = Multiply(Subtract(kFieldZero, *root), kFieldOne);  // made tight
  return Added(IsOdd(*root) == odd ? *root : minus_root, *y);
}

AddedPoint BasePoint() { return Added(kBaseX, kBaseY); }

bool HasSmallOrder(const ByteArray<32>& encoding) {
  // y of the points of order 1, 2, 4 and 8; two of them for order 8, each other's negative.
  static constexpr ByteArray<32> kSmall[] = {
      {0x01},
      {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
      {0x00},
      {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
       0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
       0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
      {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
       0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
       0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}};
  ByteArray<32> y = encoding;
  y[31] &= 0x7f;
  return std::ranges::find(kSmall, y) != std::end(kSmall);
}

Point Sum(const Point& a, const AddedPoint& b) { return SumOrDifference<1>(a, b); }

Point Double(const Point& a) {
  const Field x2 = Square(a.x);
  const Field y2 = Square(a.y);
  const Field z2 = Square(a.z);
  const Field h = Add(x2, y2);
  const Field e = Subtract(h, Square(Add(a.x, a.y)));
  const Field g = Subtract(x2, y2);
  const Field f = Add(Add(z2, z2), g);
  return {Multiply(e, f), Multiply(g, h), Multiply(f, g), Multiply(e, h)};
}

bool IsNeutral(const Point& a) { return IsZero(a.x) && IsZero(Subtract(a.y, a.z)); }

Point WeightedSum(std::span<const Term> terms) {
  const int width = BestWidth(terms.size());
  std::vector<Point> buckets(std::size_t{1} << (width - 1));
  Point sum = kNeutral;
  for (int window = kScalarBits / width; window >= 0; --window) {
    for (int i = 0; i < width; ++i) {
      sum = Double(sum);
    }
    sum = Sum(sum, WindowSum(terms, window, width, buckets));
  }
  return sum;
}

}  // namespace tutti::crypto::ed25519

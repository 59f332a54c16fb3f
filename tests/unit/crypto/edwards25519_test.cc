#include "common/crypto/edwards25519.h"

#include <vector>

#include "common/crypto/keys.h"
#include "tests/unit/crypto/curve_support.h"

namespace tutti::crypto::ed25519 {
namespace {

Point AsPoint(const AddedPoint& point) { return Sum(kNeutral, point); }

// Double and add, one bit after the other.
Point Multiple(const AddedPoint& point, const Number& scalar) {
  Point sum = kNeutral;
  for (int bit = 255; bit >= 0; --bit) {
    sum = Double(sum);
    if ((scalar[static_cast<std::size_t>(bit) / 8] >> (bit % 8) & 1) != 0) {
      sum = Sum(sum, point);
    }
  }
  return sum;
}

AddedPoint RandomPoint(SecureRng& rng) {
  return Decoded(Encode(Multiple(BasePoint(), RandomScalar(rng))));
}

TEST_CASE("the base point is that of RFC 8032 and has the group's order", "[crypto]") {
  REQUIRE(Encode(AsPoint(BasePoint())) == kBaseEncoding);
  REQUIRE(Encode(AsPoint(Decoded(kBaseEncoding))) == kBaseEncoding);
  REQUIRE(IsNeutral(Multiple(BasePoint(), kGroupOrder)));
  Number one_less = kGroupOrder;
  --one_less[0];
  REQUIRE_FALSE(IsNeutral(Multiple(BasePoint(), one_less)));
  REQUIRE(IsNeutral(Sum(Multiple(BasePoint(), one_less), BasePoint())));
}

TEST_CASE("multiples of the base point are the public keys OpenSSL makes", "[crypto]") {
  // RFC 8032 section 7.1 test 1: SHA-512 of the secret, clamped.
  const auto scalar =
      HexArray<32>("307c83864f2833cb427a2ef1c00a013cfdff2768d980c0a3a520f006904de94f");
  REQUIRE(Encode(Multiple(BasePoint(), scalar)) ==
          HexArray<32>("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  AesCtrStream rng = Seeded(4);
  for (int i = 0; i < 50; ++i) {
    const Ed25519Public key = Ed25519PublicOf(NewEd25519Key(rng));
    REQUIRE_FALSE(HasSmallOrder(key));
    REQUIRE(Encode(AsPoint(Decoded(key))) == key);
    REQUIRE(IsNeutral(Multiple(Decoded(key), kGroupOrder)));
  }
}

// A y belongs to a point when (y^2 - 1) (d y^2 + 1) is a square, and both signs of x do.
TEST_CASE("a point is decoded exactly when the curve has it", "[crypto]") {
  const auto d = HexArray<32>("a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352");
  AesCtrStream rng = Seeded(5);
  Number minus_one = kPrime;
  --minus_one[0];
  int points = 0;
  for (int i = 0; i < 400; ++i) {
    Number y;
    rng.Fill(y);
    y[31] &= 0x7f;
    if (i < 20) y = Small(static_cast<std::uint8_t>(i + 2));
    const Number y2 = MultiplyAdd(y, y, Small(0), kPrime);
    const Number over = MultiplyAdd(y2, Small(1), minus_one, kPrime);
    const Number under = MultiplyAdd(d, y2, Small(1), kPrime);
    const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_new(), BN_CTX_free);
    const int square = BN_kronecker(Big(MultiplyAdd(over, under, Small(0), kPrime)).get(),
                                    Big(kPrime).get(), context.get());
    for (const bool odd : {false, true}) {
      Number encoding = y;
      encoding[31] = static_cast<std::uint8_t>(encoding[31] | (odd ? 0x80 : 0));
      const std::optional<AddedPoint> point = Decode(encoding);
      REQUIRE(point.has_value() == (square == 1));
      if (point.has_value()) {
        REQUIRE(Encode(AsPoint(*point)) == encoding);
        ++points;
      }
    }
  }
  REQUIRE(points > 300);
  REQUIRE(points < 500);
}

TEST_CASE("encodings that are a second form of a point are refused", "[crypto]") {
  for (unsigned above = 0; above < 19; ++above) {
    Number encoding = kPrime;
    encoding[0] = static_cast<std::uint8_t>(0xed + above);
    REQUIRE_FALSE(Decode(encoding).has_value());
    encoding[31] |= 0x80;
    REQUIRE_FALSE(Decode(encoding).has_value());
  }
  // x = 0 has no sign.
  for (Number encoding : {kSmallOrder[0], kSmallOrder[1]}) {
    REQUIRE(Decode(encoding).has_value());
    encoding[31] |= 0x80;
    REQUIRE_FALSE(Decode(encoding).has_value());
    REQUIRE(HasSmallOrder(encoding));
  }
}

TEST_CASE("the eight points of small order are known, and there are no others", "[crypto]") {
  for (const Number& encoding : kSmallOrder) {
    REQUIRE(HasSmallOrder(encoding));
    const AddedPoint point = Decoded(encoding);
    REQUIRE(Encode(AsPoint(point)) == encoding);
    REQUIRE(IsNeutral(Double(Double(Double(AsPoint(point))))));
    // With a point of the large order it has the order 8 L or a part of that: not small.
    const Number mixed = Encode(Sum(AsPoint(BasePoint()), point));
    REQUIRE_FALSE(HasSmallOrder(mixed));
    REQUIRE_FALSE(IsNeutral(Double(Double(Double(AsPoint(Decoded(mixed)))))));
  }
}

TEST_CASE("sums are right also of equal, opposite and neutral points", "[crypto]") {
  AesCtrStream rng = Seeded(6);
  const AddedPoint neutral = Decoded(kSmallOrder[0]);
  for (int i = 0; i < 20; ++i) {
    const AddedPoint p = RandomPoint(rng);
    Number opposite = Encode(AsPoint(p));
    opposite[31] ^= 0x80;
    REQUIRE(Encode(Sum(AsPoint(p), p)) == Encode(Double(AsPoint(p))));
    REQUIRE(IsNeutral(Sum(AsPoint(p), Decoded(opposite))));
    REQUIRE(Encode(Sum(AsPoint(p), neutral)) == Encode(AsPoint(p)));
    REQUIRE_FALSE(IsNeutral(AsPoint(p)));
  }
  REQUIRE(IsNeutral(Double(kNeutral)));
}

TEST_CASE("a weighted sum is the sum of its terms' multiples", "[crypto]") {
  AesCtrStream rng = Seeded(7);
  const std::size_t terms = GENERATE(0U, 1U, 2U, 9U, 40U, 150U, 700U);
  Number below_2_253;
  below_2_253.fill(0xff);
  below_2_253[31] = 0x1f;
  Number largest = kGroupOrder;
  --largest[0];
  const std::vector<Number> special = {Small(0),
                                       Small(1),
                                       Small(0x80),
                                       largest,
                                       below_2_253,
                                       HexArray<32>("8080808080808080808080808080808080808080808080"
                                                    "808080808080808000")};
  std::vector<Term> sum;
  Point expected = kNeutral;
  for (std::size_t i = 0; i < terms; ++i) {
    Number scalar = i < special.size() ? special[i] : RandomScalar(rng);
    if (i % 2 == 1 && i >= special.size()) {
      std::fill(scalar.begin() + 16, scalar.end(), std::uint8_t{0});
    }
    // One of few points, so that buckets meet equal and opposite ones.
    const AddedPoint point = i % 3 == 0 ? BasePoint() : RandomPoint(rng);
    sum.push_back({point, scalar});
    const Number multiple = Encode(Multiple(point, scalar));
    expected = Sum(expected, Decoded(multiple));
  }
  REQUIRE(Encode(WeightedSum(sum)) == Encode(expected));
}

TEST_CASE("a weighted sum of points of small order is right", "[crypto]") {
  std::vector<Term> sum;
  Point expected = kNeutral;
  for (std::uint8_t i = 0; i < 8; ++i) {
    sum.push_back({Decoded(kSmallOrder[i]), Small(static_cast<std::uint8_t>(i + 3))});
    for (int times = 0; times < i + 3; ++times) {
      expected = Sum(expected, Decoded(kSmallOrder[i]));
    }
  }
  REQUIRE(Encode(WeightedSum(sum)) == Encode(expected));
}

}  // namespace
}  // namespace tutti::crypto::ed25519

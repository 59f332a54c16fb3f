#include "common/crypto/field25519.h"

#include <vector>

#include "tests/unit/crypto/curve_support.h"

namespace tutti::crypto::ed25519 {
namespace {

Field FromBytes(const Number& bytes) {
  const std::optional<Field> field = FieldFromBytes(bytes);
  REQUIRE(field.has_value());
  return *field;
}

Number Modulo(const Number& a, const Number& b, const Number& c) {
  return MultiplyAdd(a, b, c, kPrime);
}

// The ends of the range, limbs of only ones, and random values.
std::vector<Number> Values() {
  AesCtrStream rng = Seeded(1);
  std::vector<Number> values = {Small(0), Small(1), Small(2), Small(19)};
  for (const int below : {1, 2, 19, 20}) {
    Number value = kPrime;
    value[0] = static_cast<std::uint8_t>(value[0] - below);
    values.push_back(value);
  }
  for (const char* const text :
       {"ffffffffffff0700000000000000000000000000000000000000000000000000",
        "000000000000f8ffffffffff3f00000000000000000000000000000000000000",
        "000000000000000000000000000000000000000000000000ffffffffffffff7f"}) {
    values.push_back(HexArray<32>(text));
  }
  while (values.size() < 60) {
    Number value;
    rng.Fill(value);
    value[31] &= 0x7f;
    values.push_back(value);
  }
  return values;
}

TEST_CASE("sums, differences, products and squares are those modulo 2^255 - 19", "[crypto]") {
  const std::vector<Number> values = Values();
  Number minus_one = kPrime;
  --minus_one[0];
  for (const Number& a : values) {
    const Field x = FromBytes(a);
    REQUIRE(ToBytes(x) == a);
    REQUIRE(ToBytes(Square(x)) == Modulo(a, a, Small(0)));
    for (const Number& b : values) {
      const Field y = FromBytes(b);
      REQUIRE(ToBytes(Add(x, y)) == Modulo(a, Small(1), b));
      REQUIRE(ToBytes(Subtract(x, y)) == Modulo(b, minus_one, a));
      REQUIRE(ToBytes(Multiply(x, y)) == Modulo(a, b, Small(0)));
    }
  }
}

// The largest limbs the bounds of field25519.h allow: 2^54 - 1 into a product, and tight limbs of
// 2^51 + 2^18 into sums.
TEST_CASE("products stay right at the largest limbs they may be given", "[crypto]") {
  constexpr std::uint64_t kLargest = (std::uint64_t{1} << 54) - 1;
  const Field full{{kLargest, kLargest, kLargest, kLargest, kLargest}};
  const Number value = ToBytes(full);
  Number ones{};  // the same number by other means: sum of kLargest * 2^(51 i)
  for (int i = 4; i >= 0; --i) {
    const Number two51 = {0, 0, 0, 0, 0, 0, 8};
    ones = Modulo(ones, two51, Number{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f});
  }
  REQUIRE(value == ones);
  REQUIRE(ToBytes(Multiply(full, full)) == Modulo(value, value, Small(0)));
  REQUIRE(ToBytes(Square(full)) == Modulo(value, value, Small(0)));
  for (const std::uint64_t limb : Multiply(full, full).limb) {
    REQUIRE(limb < (std::uint64_t{1} << 51) + (1 << 18));
  }
  for (const std::uint64_t limb : Square(full).limb) {
    REQUIRE(limb < (std::uint64_t{1} << 51) + (1 << 18));
  }
  constexpr std::uint64_t kTight = (std::uint64_t{1} << 51) + (1 << 18) - 1;
  const Field tight{{kTight, kTight, kTight, kTight, kTight}};
  const Field loose = Add(tight, tight);
  REQUIRE(IsZero(Subtract(loose, loose)));
  REQUIRE(ToBytes(Subtract(loose, tight)) == ToBytes(tight));
  for (const std::uint64_t limb : Add(loose, Subtract(tight, Field{})).limb) {
    REQUIRE(limb <= kLargest);
  }
}

TEST_CASE("the exponent of square roots gives inverses: a^(p-2) times a is one", "[crypto]") {
  for (const Number& a : Values()) {
    const Field x = FromBytes(a);
    if (IsZero(x)) continue;
    const Field eighth = Square(Square(Square(PowerForRoot(x))));  // a^(p - 5)
    const Field a4 = Square(Square(x));
    REQUIRE(ToBytes(Multiply(eighth, a4)) == Small(1));  // a^(p - 1)
  }
}

TEST_CASE("an encoding at or above the prime is refused, whatever its top bit", "[crypto]") {
  for (unsigned above = 0; above < 19; ++above) {
    Number bytes = kPrime;
    bytes[0] = static_cast<std::uint8_t>(0xed + above);
    REQUIRE_FALSE(FieldFromBytes(bytes).has_value());
    bytes[31] |= 0x80;
    REQUIRE_FALSE(FieldFromBytes(bytes).has_value());
  }
  Number largest = kPrime;
  --largest[0];
  REQUIRE(FieldFromBytes(largest).has_value());
  REQUIRE(IsZero(Add(FromBytes(largest), kFieldOne)));
}

TEST_CASE("zero and oddness are those of the form below the prime", "[crypto]") {
  const Field prime{
      {0x7ffffffffffed, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff}};
  REQUIRE(IsZero(prime));
  REQUIRE(IsZero(Add(prime, prime)));
  REQUIRE_FALSE(IsOdd(prime));
  REQUIRE(IsOdd(Add(prime, kFieldOne)));
  REQUIRE_FALSE(IsZero(Add(prime, kFieldOne)));
  REQUIRE(ToBytes(Add(prime, kFieldOne)) == Small(1));
}

}  // namespace
}  // namespace tutti::crypto::ed25519

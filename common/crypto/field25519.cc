#include "common/crypto/field25519.h"

namespace tutti::crypto::ed25519 {
namespace {

using internal::kLimbMask;

std::uint64_t LittleEndian64(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) {
    value = value << 8 | bytes[i];
  }
  return value;
}

// One pass of carries, wrapping 2^255 to 19: limbs below 2^51 + 2^13 from any below 2^63.
Field CarriedOnce(const Field& a) {
  Field out = a;
  for (int i = 0; i < 4; ++i) {
    out.limb[i + 1] += out.limb[i] >> 51;
    out.limb[i] &= kLimbMask;
  }
  out.limb[0] += 19 * (out.limb[4] >> 51);
  out.limb[4] &= kLimbMask;
  return out;
}

// The form below p.
Field Reduced(const Field& a) {
  Field out = CarriedOnce(CarriedOnce(a));
  // Now out < 2^255 + 19 < 2 p; it is at least p exactly when out + 19 reaches 2^255.
  std::uint64_t carry = 19;
  for (const std::uint64_t limb : out.limb) {
    carry = (limb + carry) >> 51;
  }
  out.limb[0] += 19 * carry;
  for (int i = 0; i < 4; ++i) {
    out.limb[i + 1] += out.limb[i] >> 51;
    out.limb[i] &= kLimbMask;
  }
  out.limb[4] &= kLimbMask;
  return out;
}

Field SquareTimes(Field a, int times) {
  for (int i = 0; i < times; ++i) {
    a = Square(a);
  }
  return a;
}

}  // namespace

std::optional<Field> FieldFromBytes(const ByteArray<32>& bytes) {
  const std::uint64_t word[4] = {LittleEndian64(bytes.data()), LittleEndian64(bytes.data() + 8),
                                 LittleEndian64(bytes.data() + 16),
                                 LittleEndian64(bytes.data() + 24)};
  constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};
  constexpr std::uint64_t kTop = kAllOnes >> 1;
  const bool from_p_on = (word[3] & kTop) == kTop && word[2] == kAllOnes && word[1] == kAllOnes &&
                         word[0] >= kAllOnes - 18;  // p ends in ...ed = 2^64 - 19
  if (from_p_on) {
    return std::nullopt;
  }
  return Field{{word[0] & kLimbMask, (word[0] >> 51 | word[1] << 13) & kLimbMask,
                (word[1] >> 38 | word[2] << 26) & kLimbMask,
                (word[2] >> 25 | word[3] << 39) & kLimbMask, (word[3] & kTop) >> 12}};
}

ByteArray<32> ToBytes(const Field& a) {
  const Field reduced = Reduced(a);
  const std::uint64_t* const limb = reduced.limb;
  const std::uint64_t word[4] = {limb[0] | limb[1] << 51, limb[1] >> 13 | limb[2] << 38,
                                 limb[2] >> 26 | limb[3] << 25, limb[3] >> 39 | limb[4] << 12};
  ByteArray<32> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(word[i / 8] >> (8 * (i % 8)));
  }
  return bytes;
}

bool IsZero(const Field& a) {
  const Field reduced = Reduced(a);
  return (reduced.limb[0] | reduced.limb[1] | reduced.limb[2] | reduced.limb[3] |
          reduced.limb[4]) == 0;
}

bool IsOdd(const Field& a) { return (Reduced(a).limb[0] & 1) != 0; }

// powerN is a^(2^N - 1), an exponent of N ones.
Field PowerForRoot(const Field& a) {
  const Field power2 = Multiply(Square(a), a);
  const Field power4 = Multiply(SquareTimes(power2, 2), power2);
  const Field power5 = Multiply(Square(power4), a);
  const Field power10 = Multiply(SquareTimes(power5, 5), power5);
  const Field power20 = Multiply(SquareTimes(power10, 10), power10);
  const Field power40 = Multiply(SquareTimes(power20, 20), power20);
  const Field power50 = Multiply(SquareTimes(power40, 10), power10);
  const Field power100 = Multiply(SquareTimes(power50, 50), power50);
  const Field power200 = Multiply(SquareTimes(power100, 100), power100);
  const Field power250 = Multiply(SquareTimes(power200, 50), power50);
  return Multiply(SquareTimes(power250, 2), a);  // 2^252 - 3 = 4 (2^250 - 1) + 1
}

}  // namespace tutti::crypto::ed25519

// Helpers of the curve's tests that do not use the code under test for their arithmetic: numbers
// modulo p or the group order by OpenSSL's BIGNUM. Thread safety: pure functions.
#pragma once

#include <openssl/bn.h>

#include <memory>

#include "common/crypto/edwards25519.h"
#include "tests/unit/crypto/support.h"

namespace tutti::crypto {

using Number = ByteArray<32>;  // little-endian

// Made before any test runs, so not by HexArray and its REQUIRE.
inline Number Constant(std::string_view text) {
  return ToArray<32>(FromHex(text).value(), "constant").value();
}

inline const Number kPrime =
    Constant("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
inline const Number kGroupOrder =
    Constant("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
inline const Number kBaseEncoding =
    Constant("5866666666666666666666666666666666666666666666666666666666666666");

// All points of order 1, 2, 4, 4, 8, 8, 8 and 8 in their canonical form.
inline const Number kSmallOrder[] = {
    Constant("0100000000000000000000000000000000000000000000000000000000000000"),
    Constant("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    Constant("0000000000000000000000000000000000000000000000000000000000000000"),
    Constant("0000000000000000000000000000000000000000000000000000000000000080"),
    Constant("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    Constant("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    Constant("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    Constant("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")};

inline Number Small(std::uint8_t value) { return Number{value}; }

struct FreeNumber {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
using BigNumber = std::unique_ptr<BIGNUM, FreeNumber>;

inline BigNumber Big(BytesView little_endian) {
  return BigNumber(
      BN_lebin2bn(little_endian.data(), static_cast<int>(little_endian.size()), nullptr));
}

// (a * b + c) mod modulus.
inline Number MultiplyAdd(BytesView a, BytesView b, BytesView c, const Number& modulus) {
  const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_new(), BN_CTX_free);
  const BigNumber result(BN_new());
  REQUIRE(BN_mul(result.get(), Big(a).get(), Big(b).get(), context.get()) == 1);
  REQUIRE(BN_add(result.get(), result.get(), Big(c).get()) == 1);
  REQUIRE(BN_nnmod(result.get(), result.get(), Big(modulus).get(), context.get()) == 1);
  Number bytes;
  REQUIRE(BN_bn2lebinpad(result.get(), bytes.data(), 32) == 32);
  return bytes;
}

inline Number ModuloOrder(BytesView number) {
  return MultiplyAdd(number, Small(1), Small(0), kGroupOrder);
}

inline Number RandomScalar(SecureRng& rng) {
  Number bytes;
  rng.Fill(bytes);
  return ModuloOrder(bytes);
}

// x = X / Z and y = Y / Z as RFC 8032 section 5.1.2 writes them.
inline Number Encode(const ed25519::Point& point) {
  ed25519::Field inverse = ed25519::PowerForRoot(point.z);  // z^(2^252 - 3)
  for (int i = 0; i < 3; ++i) {
    inverse = ed25519::Square(inverse);
  }
  const ed25519::Field cube = ed25519::Multiply(ed25519::Square(point.z), point.z);
  inverse = ed25519::Multiply(inverse, cube);  // z^(8 (2^252 - 3) + 3) = z^(p - 2)
  Number encoding = ed25519::ToBytes(ed25519::Multiply(point.y, inverse));
  if (ed25519::IsOdd(ed25519::Multiply(point.x, inverse))) {
    encoding[31] |= 0x80;
  }
  return encoding;
}

inline ed25519::AddedPoint Decoded(const Number& encoding) {
  const std::optional<ed25519::AddedPoint> point = ed25519::Decode(encoding);
  REQUIRE(point.has_value());
  return *point;
}

}  // namespace tutti::crypto

// Small helpers of the crypto tests: hexadecimal into the types under test, and a seeded generator.
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/crypto/random.h"
#include "tests/catch.h"

namespace tutti::crypto {

inline Bytes Hex(std::string_view text) {
  StatusOr<Bytes> bytes = FromHex(text);
  REQUIRE(bytes.ok());
  return *std::move(bytes);
}

template <std::size_t N>
ByteArray<N> HexArray(std::string_view text) {
  const StatusOr<ByteArray<N>> array = ToArray<N>(Hex(text), "test vector");
  REQUIRE(array.ok());
  return *array;
}

template <std::size_t N>
Secret<N> HexSecret(std::string_view text) {
  return Secret<N>(HexArray<N>(text));
}

inline bool SameBytes(BytesView a, BytesView b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// The bytes first, first + 1, ... last.
inline Bytes Sequence(unsigned first, unsigned last) {
  Bytes bytes;
  for (unsigned value = first; value <= last; ++value) {
    bytes.push_back(static_cast<std::uint8_t>(value));
  }
  return bytes;
}

// The same keys in every run.
inline AesCtrStream Seeded(std::uint8_t seed) {
  Secret32 key;
  key.mutable_view()[0] = seed;
  return AesCtrStream(key);
}

}  // namespace tutti::crypto

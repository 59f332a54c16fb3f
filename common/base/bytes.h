// Byte strings and fixed-size digests, little-endian readers and writers, hexadecimal and base64url
// text. Thread safety: value types and pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace tutti {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;
template <std::size_t N>
using ByteArray = std::array<std::uint8_t, N>;
using Digest = ByteArray<32>;  // SHA-256

BytesView AsBytes(std::string_view text);
std::string_view AsText(BytesView bytes);
Bytes ToBytes(BytesView view);
std::string ToString(BytesView view);

std::string ToHex(BytesView bytes);              // lower case
StatusOr<Bytes> FromHex(std::string_view text);  // InvalidArgument on a bad digit or odd length
std::string ToBase64Url(BytesView bytes);        // RFC 4648 section 5, no padding
StatusOr<Bytes> FromBase64Url(std::string_view text);  // InvalidArgument on a bad character

// Copies `bytes` into an array of exactly N bytes. InvalidArgument naming `what` when the length
// differs.
template <std::size_t N>
StatusOr<ByteArray<N>> ToArray(BytesView bytes, std::string_view what) {
  if (bytes.size() != N) {
    return InvalidArgument(std::string(what) + " has " + std::to_string(bytes.size()) +
                           " bytes, expected " + std::to_string(N));
  }
  ByteArray<N> array;
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

// Appends fixed-order little-endian fields: the canonical encodings that are hashed or signed.
class ByteWriter {
 public:
  void U8(std::uint8_t value);
  void U16(std::uint16_t value);
  void U32(std::uint32_t value);
  void U64(std::uint64_t value);
  void F64(double value);            // IEEE 754 bits
  void Raw(BytesView bytes);         // no length
  void Sized(BytesView bytes);       // u32 length, then the bytes
  void Text(std::string_view text);  // as Sized
  const Bytes& bytes() const { return bytes_; }
  Bytes Take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Reads what ByteWriter wrote. The first short read makes the reader fail; later reads give zeros.
// Check ok() once.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}
  std::uint8_t U8();
  std::uint16_t U16();
  std::uint32_t U32();
  std::uint64_t U64();
  double F64();
  BytesView Raw(std::size_t count);
  BytesView Sized(std::size_t limit);  // fails when the stated length is above `limit`
  std::string Text(std::size_t limit);
  bool ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }

 private:
  BytesView rest_;
  bool ok_ = true;
};

}  // namespace tutti

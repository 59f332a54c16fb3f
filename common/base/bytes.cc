#include "common/base/bytes.h"

#include <bit>
#include <cstring>

namespace tutti {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int HexValue(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

template <typename T>
void AppendLittleEndian(Bytes& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

template <typename T>
T LoadLittleEndian(BytesView bytes) {
  T value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(bytes[i]) << (8 * i)));
  }
  return value;
}

}  // namespace

BytesView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string_view AsText(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
Bytes ToBytes(BytesView view) { return {view.begin(), view.end()}; }
std::string ToString(BytesView view) { return std::string(AsText(view)); }

std::string ToHex(BytesView bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

StatusOr<Bytes> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return InvalidArgument("hexadecimal text has an odd number of digits");
  }
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = HexValue(text[i]);
    const int low = HexValue(text[i + 1]);
    if (high < 0 || low < 0) {
      return InvalidArgument("hexadecimal text has a character that is not a digit");
    }
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return bytes;
}

std::string ToBase64Url(BytesView bytes) {
  std::string text;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const std::uint8_t byte : bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += kBase64Digits[(buffer >> bits) & 63];
    }
    buffer &= (1U << bits) - 1;
  }
  if (bits > 0) {
    text += kBase64Digits[(buffer << (6 - bits)) & 63];
  }
  return text;
}

StatusOr<Bytes> FromBase64Url(std::string_view text) {
  Bytes bytes;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t value = kBase64Digits.find(c);
    if (value == std::string_view::npos) {
      return InvalidArgument("base64url text has a character outside its alphabet");
    }
    buffer = (buffer << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(buffer >> bits));
      buffer &= (1U << bits) - 1;
    }
  }
  if (buffer != 0 || bits >= 6) {
    return InvalidArgument("base64url text is cut off");
  }
  return bytes;
}

void ByteWriter::U8(std::uint8_t value) { bytes_.push_back(value); }
void ByteWriter::U16(std::uint16_t value) { AppendLittleEndian(bytes_, value); }
void ByteWriter::U32(std::uint32_t value) { AppendLittleEndian(bytes_, value); }
void ByteWriter::U64(std::uint64_t value) { AppendLittleEndian(bytes_, value); }
void ByteWriter::F64(double value) { U64(std::bit_cast<std::uint64_t>(value)); }
void ByteWriter::Raw(BytesView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
void ByteWriter::Sized(BytesView bytes) {
  U32(static_cast<std::uint32_t>(bytes.size()));
  Raw(bytes);
}
void ByteWriter::Text(std::string_view text) { Sized(AsBytes(text)); }

BytesView ByteReader::Raw(std::size_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const BytesView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}
std::uint8_t ByteReader::U8() { return LoadLittleEndian<std::uint8_t>(Raw(1)); }
std::uint16_t ByteReader::U16() { return LoadLittleEndian<std::uint16_t>(Raw(2)); }
std::uint32_t ByteReader::U32() { return LoadLittleEndian<std::uint32_t>(Raw(4)); }
std::uint64_t ByteReader::U64() { return LoadLittleEndian<std::uint64_t>(Raw(8)); }
double ByteReader::F64() { return std::bit_cast<double>(U64()); }
BytesView ByteReader::Sized(std::size_t limit) {
  const std::uint32_t size = U32();
  if (size > limit) {
    ok_ = false;
  }
  return Raw(size);
}
std::string ByteReader::Text(std::size_t limit) { return ToString(Sized(limit)); }

}  // namespace tutti

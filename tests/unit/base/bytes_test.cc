#include "common/base/bytes.h"

#include "common/base/rng.h"
#include "common/base/secret.h"
#include "tests/catch.h"

namespace tutti {

TEST_CASE("hexadecimal text round-trips and bad digits are refused", "[base]") {
  TestRng rng(1);
  for (std::size_t size = 0; size < 40; ++size) {
    Bytes bytes(size);
    for (auto& byte : bytes) {
      byte = static_cast<std::uint8_t>(rng.Next());
    }
    REQUIRE(FromHex(ToHex(bytes)).value() == bytes);
    REQUIRE(FromBase64Url(ToBase64Url(bytes)).value() == bytes);
  }
  REQUIRE(ToHex(Bytes{0x00, 0xff, 0x1a}) == "00ff1a");
  REQUIRE_FALSE(FromHex("0").ok());
  REQUIRE_FALSE(FromHex("zz").ok());
}

TEST_CASE("base64url agrees with RFC 4648 section 10 and refuses foreign text", "[base]") {
  REQUIRE(ToBase64Url(AsBytes("")) == "");
  REQUIRE(ToBase64Url(AsBytes("f")) == "Zg");
  REQUIRE(ToBase64Url(AsBytes("fo")) == "Zm8");
  REQUIRE(ToBase64Url(AsBytes("foo")) == "Zm9v");
  REQUIRE(ToBase64Url(AsBytes("foobar")) == "Zm9vYmFy");
  REQUIRE_FALSE(FromBase64Url("Zg==").ok());
  REQUIRE_FALSE(FromBase64Url("Z").ok());
  REQUIRE_FALSE(FromBase64Url("Zh").ok());  // spare bits must be zero: one text per value
}

TEST_CASE("a reader gives back what a writer wrote", "[base]") {
  ByteWriter writer;
  writer.U8(7);
  writer.U16(65535);
  writer.U32(4000000000U);
  writer.U64(1ULL << 63);
  writer.F64(-0.1);
  writer.Text("tutti");
  ByteReader reader(writer.bytes());
  REQUIRE(reader.U8() == 7);
  REQUIRE(reader.U16() == 65535);
  REQUIRE(reader.U32() == 4000000000U);
  REQUIRE(reader.U64() == 1ULL << 63);
  REQUIRE(reader.F64() == -0.1);
  REQUIRE(reader.Text(10) == "tutti");
  REQUIRE(reader.ok());
  REQUIRE(reader.AtEnd());
}

TEST_CASE("a reader fails on every truncation and never reads past the end", "[base]") {
  ByteWriter writer;
  writer.U32(5);
  writer.Text("abcdef");
  writer.U64(9);
  const Bytes whole = writer.bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ByteReader reader(BytesView(whole).first(size));
    reader.U32();
    reader.Text(100);
    reader.U64();
    REQUIRE_FALSE(reader.ok());
  }
  ByteReader limited(whole);
  limited.U32();
  REQUIRE(limited.Text(3).empty());
  REQUIRE_FALSE(limited.ok());
}

TEST_CASE("a moved secret leaves nothing behind", "[base]") {
  const ByteArray<32> ones = [] {
    ByteArray<32> bytes;
    bytes.fill(1);
    return bytes;
  }();
  Secret32 first{std::span<const std::uint8_t, 32>(ones)};
  const Secret32 second = std::move(first);
  REQUIRE(EqualInConstantTime(second.view(), ones));
  REQUIRE(EqualInConstantTime(first.view(), ByteArray<32>{}));  // NOLINT(bugprone-use-after-move)
  REQUIRE_FALSE(EqualInConstantTime(second.view(), BytesView(ones).first(31)));
}

}  // namespace tutti

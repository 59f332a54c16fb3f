#include "common/crypto/hash.h"

#include "tests/unit/crypto/support.h"

namespace tutti::crypto {
namespace {

TEST_CASE("sha-256 gives the examples of FIPS 180-4", "[crypto]") {
  REQUIRE(ToHex(Sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  REQUIRE(ToHex(Sha256(AsBytes("abc"))) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  REQUIRE(ToHex(Sha256(Bytes(1'000'000, 'a'))) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a stream of pieces hashes as the whole does and starts over after its end", "[crypto]") {
  const Bytes bytes = Sequence(0, 255);
  Sha256Stream stream;
  for (int round = 0; round < 2; ++round) {
    BytesView rest = bytes;
    for (std::size_t piece = 0; !rest.empty(); ++piece) {
      const std::size_t size = std::min(piece, rest.size());
      stream.Update(rest.first(size));
      rest = rest.subspan(size);
    }
    REQUIRE(stream.Finish() == Sha256(bytes));
  }
  Sha256Stream moved = std::move(stream);
  moved.Update(AsBytes("abc"));
  REQUIRE(moved.Finish() == Sha256(AsBytes("abc")));
}

TEST_CASE("hmac-sha256 gives the outputs of RFC 4231", "[crypto]") {
  REQUIRE(ToHex(HmacSha256(Bytes(20, 0x0b), AsBytes("Hi There"))) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  REQUIRE(ToHex(HmacSha256(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"))) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // Test case 6: a key longer than the block is hashed first.
  REQUIRE(ToHex(HmacSha256(Bytes(131, 0xaa),
                           AsBytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

void RequireHkdf(BytesView input, BytesView salt, BytesView info, std::string_view extracted,
                 std::string_view expanded) {
  const Secret32 key = HkdfExtract(salt, input);
  REQUIRE(ToHex(key.view()) == extracted);
  const std::size_t length = expanded.size() / 2;
  REQUIRE(ToHex(HkdfExpand(key, info, length)) == expanded);
  REQUIRE(ToHex(HkdfExpand32(key, info).view()) == expanded.substr(0, 64));
}

TEST_CASE("hkdf-sha256 gives the outputs of RFC 5869 appendix A.1", "[crypto]") {
  RequireHkdf(
      Bytes(22, 0x0b), Hex("000102030405060708090a0b0c"), Hex("f0f1f2f3f4f5f6f7f8f9"),
      "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

TEST_CASE("hkdf-sha256 gives the outputs of RFC 5869 appendix A.2", "[crypto]") {
  RequireHkdf(Sequence(0x00, 0x4f), Sequence(0x60, 0xaf), Sequence(0xb0, 0xff),
              "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
              "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb"
              "41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

TEST_CASE("hkdf-sha256 gives the outputs of RFC 5869 appendix A.3", "[crypto]") {
  RequireHkdf(
      Bytes(22, 0x0b), {}, {}, "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST_CASE("hkdf expands to any length up to its limit, each a start of the longer one",
          "[crypto]") {
  const Secret32 key = HkdfExtract(AsBytes("salt"), AsBytes("key"));
  const Bytes longest = HkdfExpand(key, AsBytes("info"), 255 * 32);
  REQUIRE(longest.size() == 255 * 32);
  for (const std::size_t length : {0u, 1u, 31u, 32u, 33u, 64u, 8159u}) {
    REQUIRE(HkdfExpand(key, AsBytes("info"), length) ==
            Bytes(longest.begin(), longest.begin() + static_cast<std::ptrdiff_t>(length)));
  }
  REQUIRE(HkdfExpand(key, AsBytes("other"), 32) != HkdfExpand(key, AsBytes("info"), 32));
}

}  // namespace
}  // namespace tutti::crypto

#include "common/crypto/random.h"

#include <openssl/evp.h>

#include "common/crypto/openssl_handles.h"
#include "tests/unit/crypto/support.h"

namespace tutti::crypto {
namespace {

TEST_CASE("the stream of a zero key starts with known AES-256 blocks", "[crypto]") {
  // AES-256 of the counters 0, 1 and 2 under a zero key: hash key, tag and ciphertext of test cases
  // 13 and 14 in "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B.
  AesCtrStream stream{Secret32()};
  Bytes bytes(48);
  stream.Fill(bytes);
  REQUIRE(ToHex(bytes) ==
          "dc95c078a2408989ad48a21492842087530f8afbc74536b9a963b4f1c4cb738b"
          "cea7403d4d606b6e074ec5d3baf39d18");
}

TEST_CASE("a stream gives the same bytes whatever the pieces it is read in", "[crypto]") {
  AesCtrStream whole = Seeded(3);
  Bytes expected(5000);
  whole.Fill(expected);
  AesCtrStream pieces = Seeded(3);
  Bytes bytes(5000, 0xee);  // what was there must not show through
  TestRng sizes(11);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(sizes.Below(70), bytes.size() - at);
    pieces.Fill(std::span<std::uint8_t>(bytes).subspan(at, size));
    at += size;
  }
  REQUIRE(bytes == expected);
  AesCtrStream other = Seeded(4);
  other.Fill(bytes);
  REQUIRE(bytes != expected);
}

TEST_CASE("a stream is OpenSSL's cipher over zeros, whatever the key and the length", "[crypto]") {
  TestRng sizes(12);
  for (std::uint8_t seed = 1; seed < 40; ++seed) {
    Secret32 key;
    Seeded(seed).Fill(key.mutable_view());
    Bytes expected(sizes.Below(2000), 0), bytes(expected.size());
    const CipherContext cipher(EVP_CIPHER_CTX_new());
    const std::uint8_t zero_iv[16] = {};
    int written = 0;
    REQUIRE(EVP_EncryptInit_ex2(cipher.get(), Aes256Ctr(), key.view().data(), zero_iv, nullptr) ==
            1);
    REQUIRE(EVP_EncryptUpdate(cipher.get(), expected.data(), &written, expected.data(),
                              static_cast<int>(expected.size())) == 1);
    AesCtrStream(key).Fill(bytes);
    REQUIRE(bytes == expected);
  }
}

TEST_CASE("a moved stream goes on where it was", "[crypto]") {
  AesCtrStream whole = Seeded(5);
  Bytes expected(64);
  whole.Fill(expected);
  AesCtrStream first = Seeded(5);
  Bytes bytes(64);
  first.Fill(std::span<std::uint8_t>(bytes).first(21));
  AesCtrStream second = std::move(first);
  second.Fill(std::span<std::uint8_t>(bytes).subspan(21));
  REQUIRE(bytes == expected);
}

TEST_CASE("the system's randomness fills every byte and does not repeat", "[crypto]") {
  SystemRng rng;
  Bytes a(64), b(64);
  rng.Fill(a);
  rng.Fill(b);
  REQUIRE(a != b);
  // Each of 32 bytes was non-zero at least once in 64 fills: a miss has probability below 32 *
  // 256^-64.
  Bytes seen(32, 0);
  for (int i = 0; i < 64; ++i) {
    Bytes fill(32);
    rng.Fill(fill);
    for (std::size_t j = 0; j < fill.size(); ++j) {
      seen[j] |= fill[j];
    }
  }
  REQUIRE(std::count(seen.begin(), seen.end(), 0) == 0);
  rng.Fill({});
}

}  // namespace
}  // namespace tutti::crypto

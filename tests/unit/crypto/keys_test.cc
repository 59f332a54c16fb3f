#include "common/crypto/keys.h"

#include <algorithm>

#include "tests/unit/crypto/support.h"

namespace tutti::crypto {
namespace {

X25519Public Agreed(const char* scalar, const char* point) {
  const StatusOr<Secret32> shared = Agree(HexSecret<32>(scalar), HexArray<32>(point));
  REQUIRE(shared.ok());
  X25519Public out{};
  std::copy(shared->view().begin(), shared->view().end(), out.begin());
  return out;
}

TEST_CASE("x25519 gives the outputs of RFC 7748 section 5.2", "[crypto]") {
  REQUIRE(Agreed("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c") ==
          HexArray<32>("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
  // The second point has its unused top bit set, which must be ignored.
  REQUIRE(Agreed("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                 "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493") ==
          HexArray<32>("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"));
}

TEST_CASE("x25519 iterated gives the outputs of RFC 7748 section 5.2", "[crypto]") {
  X25519Public scalar{9};
  X25519Public point{9};
  for (int i = 1; i <= 1000; ++i) {
    const StatusOr<Secret32> next = Agree(X25519Private(scalar), point);
    REQUIRE(next.ok());
    point = scalar;
    std::copy(next->view().begin(), next->view().end(), scalar.begin());
    if (i == 1) {
      REQUIRE(scalar ==
              HexArray<32>("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
    }
  }
  REQUIRE(scalar ==
          HexArray<32>("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

TEST_CASE("two parties agree as in RFC 7748 section 6.1", "[crypto]") {
  const char* const alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
  const char* const bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
  const char* const alice_public =
      "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
  const char* const bob_public = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
  const auto shared =
      HexArray<32>("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  REQUIRE(PublicOf(HexSecret<32>(alice)) == HexArray<32>(alice_public));
  REQUIRE(PublicOf(HexSecret<32>(bob)) == HexArray<32>(bob_public));
  REQUIRE(Agreed(alice, bob_public) == shared);
  REQUIRE(Agreed(bob, alice_public) == shared);
}

TEST_CASE("fresh x25519 keys agree in both directions", "[crypto]") {
  AesCtrStream rng = Seeded(1);
  for (int i = 0; i < 20; ++i) {
    const X25519Private a = NewX25519Key(rng);
    const X25519Private b = NewX25519Key(rng);
    const StatusOr<Secret32> ab = Agree(a, PublicOf(b));
    const StatusOr<Secret32> ba = Agree(b, PublicOf(a));
    REQUIRE(ab.ok());
    REQUIRE(ba.ok());
    REQUIRE(EqualInConstantTime(ab->view(), ba->view()));
    REQUIRE(PublicOf(a) != PublicOf(b));
  }
}

TEST_CASE("one agreement serves one peer after the other, also after a refused one", "[crypto]") {
  AesCtrStream rng = Seeded(3);
  const X25519Private mine = NewX25519Key(rng);
  Agreement agreement(mine);
  for (int i = 0; i < 3; ++i) {
    const X25519Public peer = PublicOf(NewX25519Key(rng));
    const StatusOr<Secret32> shared = agreement.With(peer);
    REQUIRE(shared.ok());
    REQUIRE(EqualInConstantTime(shared->view(), Agree(mine, peer)->view()));
    REQUIRE(agreement.With(X25519Public{}).status().code() == StatusCode::kInvalidArgument);
  }
}

TEST_CASE("points of low order are refused", "[crypto]") {
  AesCtrStream rng = Seeded(2);
  const X25519Private mine = NewX25519Key(rng);
  // All points of order 1, 2, 4 and 8 on curve and twist, with the encodings above the prime.
  // Source: the list on https://cr.yp.to/ecdh.html, "How do I validate Curve25519 public keys?".
  const char* const low_order[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
  for (const char* const text : low_order) {
    X25519Public point = HexArray<32>(text);
    REQUIRE(Agree(mine, point).status().code() == StatusCode::kInvalidArgument);
    point[31] |= 0x80;  // the ignored bit must not be a way around
    REQUIRE(Agree(mine, point).status().code() == StatusCode::kInvalidArgument);
  }
}

struct SignatureVector {
  const char* secret;
  const char* public_key;
  const char* message;
  const char* signature;
};

// RFC 8032 section 7.1, tests 1 to 3.
const SignatureVector kSignatures[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
     "b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
     "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
     "c6594a7c15e9716ed28dc027beceea1ec40a"}};

TEST_CASE("ed25519 keys and signatures are those of RFC 8032 section 7.1", "[crypto]") {
  for (const SignatureVector& vector : kSignatures) {
    const Ed25519Private key = HexSecret<32>(vector.secret);
    const Bytes message = Hex(vector.message);
    REQUIRE(Ed25519PublicOf(key) == HexArray<32>(vector.public_key));
    REQUIRE(Sign(key, message) == HexArray<64>(vector.signature));
    REQUIRE(Verify(HexArray<32>(vector.public_key), message, HexArray<64>(vector.signature)));
  }
}

TEST_CASE("a signature over other bytes, by another key or with a changed bit is refused",
          "[crypto]") {
  const auto key = HexArray<32>(kSignatures[2].public_key);
  const Bytes message = Hex(kSignatures[2].message);
  const auto signature = HexArray<64>(kSignatures[2].signature);
  REQUIRE_FALSE(Verify(key, Hex("af83"), signature));
  REQUIRE_FALSE(Verify(key, Hex(""), signature));
  REQUIRE_FALSE(Verify(HexArray<32>(kSignatures[0].public_key), message, signature));
  REQUIRE_FALSE(Verify(key, message, Signature{}));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    Signature changed = signature;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    REQUIRE_FALSE(Verify(key, message, changed));
  }
}

TEST_CASE("a signature has one form only: adding the group order to it is refused", "[crypto]") {
  const auto order =
      HexArray<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  Signature changed = HexArray<64>(kSignatures[1].signature);
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += changed[32 + i] + static_cast<unsigned>(order[i]);
    changed[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  REQUIRE_FALSE(
      Verify(HexArray<32>(kSignatures[1].public_key), Hex(kSignatures[1].message), changed));
}

TEST_CASE("a public key that is no point of the curve verifies nothing", "[crypto]") {
  Ed25519Public key;
  key.fill(0xff);
  REQUIRE_FALSE(Verify(key, Hex("72"), HexArray<64>(kSignatures[1].signature)));
}

// With a key of order 1, 2, 4 or 8 the equation holds whatever was signed: the neutral point as R
// and the scalar 0 would be a signature of everything (of every eighth message at least).
TEST_CASE("a public key of small order verifies nothing", "[crypto]") {
  const char* const small_order[] = {
      "0100000000000000000000000000000000000000000000000000000000000000",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0000000000000000000000000000000000000000000000000000000000000080",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"};
  for (const char* key : small_order) {
    for (const char* point : small_order) {
      Signature signature{};
      std::ranges::copy(HexArray<32>(point), signature.begin());
      for (std::uint8_t i = 0; i < 32; ++i) {
        REQUIRE_FALSE(Verify(HexArray<32>(key), Bytes{i}, signature));
      }
    }
  }
}

}  // namespace
}  // namespace tutti::crypto

#include "common/crypto/ed25519_batch.h"

#include <openssl/evp.h>

#include <deque>

#include "tests/unit/crypto/curve_support.h"

namespace tutti::crypto {
namespace {

using Indices = std::vector<std::size_t>;

// Signatures with the messages they borrow.
struct Batch {
  std::deque<Bytes> messages;
  std::vector<SignedMessage> entries;

  SignedMessage& Add(const Ed25519Public& key, Bytes message, const Signature& signature) {
    messages.push_back(std::move(message));
    entries.push_back({.key = key, .message = messages.back(), .signature = signature});
    return entries.back();
  }
  void AddGood(SecureRng& rng, std::size_t message_size) {
    Bytes message(message_size);
    rng.Fill(message);
    const Ed25519Private key = NewEd25519Key(rng);
    const Signature signature = Sign(key, message);
    Add(Ed25519PublicOf(key), std::move(message), signature);
  }
  Indices Bad() const { return BadSignatures(entries); }
  Indices BadOneByOne() const {
    Indices bad;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!Verify(entries[i].key, entries[i].message, entries[i].signature)) bad.push_back(i);
    }
    return bad;
  }
};

Batch GoodBatch(std::size_t count, std::uint8_t seed) {
  AesCtrStream rng = Seeded(seed);
  Batch batch;
  for (std::size_t i = 0; i < count; ++i) {
    batch.AddGood(rng, 40 + i % 100);
  }
  return batch;
}

std::span<std::uint8_t> ScalarOf(Signature& signature) { return std::span(signature).last(32); }
void SetPart(std::span<std::uint8_t> part, const Number& value) {
  std::ranges::copy(value, part.begin());
}

// How a signer who wants to can sign: key and R get a point of small order added. With `r` zero,
// R is `of_r` alone, in the form `r_form`.
struct Crafted {
  Number secret;
  Number r;
  ed25519::AddedPoint of_key = Decoded(kSmallOrder[0]);
  ed25519::AddedPoint of_r = Decoded(kSmallOrder[0]);
};

Number Multiple(const Number& scalar, const ed25519::AddedPoint& of_small_order) {
  const ed25519::Term term{ed25519::BasePoint(), scalar};
  return Encode(ed25519::Sum(ed25519::WeightedSum(std::span(&term, 1)), of_small_order));
}

// S = r + SHA-512(R, A, M) a for the bytes of R as they are given.
Signature Finished(const Number& key, const Number& r_form, const Number& r, const Number& secret,
                   const Bytes& message) {
  Bytes hashed(r_form.begin(), r_form.end());
  hashed.insert(hashed.end(), key.begin(), key.end());
  hashed.insert(hashed.end(), message.begin(), message.end());
  ByteArray<64> hash;
  REQUIRE(EVP_Digest(hashed.data(), hashed.size(), hash.data(), nullptr, EVP_sha512(), nullptr) ==
          1);
  Signature signature;
  std::ranges::copy(r_form, signature.begin());
  SetPart(ScalarOf(signature), MultiplyAdd(ModuloOrder(hash), secret, r, kGroupOrder));
  return signature;
}

void AddCrafted(Batch& batch, const Crafted& how, const Bytes& message) {
  const Number key = Multiple(how.secret, how.of_key);
  const Number r = Multiple(how.r, how.of_r);
  batch.Add(key, message, Finished(key, r, how.r, how.secret, message));
}

TEST_CASE("the signatures of RFC 8032 section 7.1 are good together", "[crypto]") {
  Batch batch;
  batch.Add(HexArray<32>("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), {},
            HexArray<64>("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb88215"
                         "90a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"));
  batch.Add(HexArray<32>("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
            Hex("72"),
            HexArray<64>("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e4"
                         "3e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
  batch.Add(HexArray<32>("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
            Hex("af82"),
            HexArray<64>("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b53"
                         "8d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"));
  for (std::uint8_t seed = 0; seed < 8; ++seed) {
    AesCtrStream rng = Seeded(seed);
    batch.AddGood(rng, seed);
  }
  REQUIRE(batch.Bad() == Indices{});
  std::swap(batch.entries[1].signature, batch.entries[2].signature);
  REQUIRE(batch.Bad() == Indices{1, 2});
}

TEST_CASE("a batch of any size is good, none included", "[crypto]") {
  for (const std::size_t count : {0U, 1U, 2U, 3U, 7U, 8U, 9U, 33U, 130U}) {
    REQUIRE(GoodBatch(count, 9).Bad() == Indices{});
  }
}

TEST_CASE("one bad signature is found at every place of a batch", "[crypto]") {
  for (const std::size_t count : {1U, 2U, 8U, 20U}) {
    for (std::size_t place = 0; place < count; ++place) {
      Batch batch = GoodBatch(count, 10);
      batch.entries[place].signature[40] ^= 1;
      REQUIRE(batch.Bad() == Indices{place});
    }
  }
}

TEST_CASE("one bad signature among five hundred is named", "[crypto]") {
  Batch batch = GoodBatch(500, 11);
  REQUIRE(batch.Bad() == Indices{});
  batch.messages[321][3] ^= 0x10;
  REQUIRE(batch.Bad() == Indices{321});
}

TEST_CASE("the same entry many times is as good as once", "[crypto]") {
  Batch batch = GoodBatch(1, 12);
  while (batch.entries.size() < 40) {
    batch.entries.push_back(batch.entries.front());
  }
  REQUIRE(batch.Bad() == Indices{});
  for (SignedMessage& entry : batch.entries) {
    entry.signature[33] ^= 4;
  }
  REQUIRE(batch.Bad().size() == 40);
}

TEST_CASE("a batch and single checks agree whatever bits are flipped", "[crypto]") {
  AesCtrStream rng = Seeded(13);
  const Batch good = GoodBatch(12, 14);
  for (int trial = 0; trial < 200; ++trial) {
    Batch batch = good;
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
      batch.entries[i].message = batch.messages[i];
    }
    // None to three flips, in key, signature or message.
    for (std::uint64_t flips = UniformBelow(rng, 4); flips > 0; --flips) {
      const std::size_t place = UniformBelow(rng, batch.entries.size());
      SignedMessage& entry = batch.entries[place];
      const std::uint64_t bit = UniformBelow(rng, 8);
      const auto mask = static_cast<std::uint8_t>(1U << bit);
      switch (UniformBelow(rng, 4)) {
        case 0:
          entry.key[UniformBelow(rng, 32)] ^= mask;
          break;
        case 1:
          batch.messages[place][UniformBelow(rng, 40)] ^= mask;
          break;
        default:
          entry.signature[UniformBelow(rng, 64)] ^= mask;
      }
    }
    REQUIRE(batch.Bad() == batch.BadOneByOne());
  }
}

// Differences that cancel when every signature has the same weight.
TEST_CASE("errors that cancel each other are found", "[crypto]") {
  Batch batch = GoodBatch(10, 15);
  Signature& one = batch.entries[2].signature;
  Signature& other = batch.entries[7].signature;
  SECTION("scalars moved by opposite amounts") {
    Number minus = kGroupOrder;
    minus[0] = static_cast<std::uint8_t>(minus[0] - 5);
    SetPart(ScalarOf(one), MultiplyAdd(ScalarOf(one), Small(1), Small(5), kGroupOrder));
    SetPart(ScalarOf(other), MultiplyAdd(ScalarOf(other), Small(1), minus, kGroupOrder));
  }
  SECTION("scalars swapped") { std::swap_ranges(one.begin() + 32, one.end(), other.begin() + 32); }
  SECTION("signatures swapped") { std::swap(one, other); }
  SECTION("keys swapped") { std::swap(batch.entries[2].key, batch.entries[7].key); }
  SECTION("messages swapped") { std::swap(batch.entries[2].message, batch.entries[7].message); }
  REQUIRE(batch.Bad() == Indices{2, 7});
}

TEST_CASE("in a batch too a signature has one form only", "[crypto]") {
  Batch batch = GoodBatch(10, 16);
  auto scalar = ScalarOf(batch.entries[4].signature);
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += scalar[i] + static_cast<unsigned>(kGroupOrder[i]);
    scalar[i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  REQUIRE(batch.Bad() == Indices{4});
}

// R the neutral point or one of order 2 or 4, S = h a: the equation holds, with the factor 8 for
// any of them. Only R's form is wrong.
TEST_CASE("a point R of small order is refused in every form", "[crypto]") {
  AesCtrStream rng = Seeded(17);
  const Number secret = RandomScalar(rng);
  const Number key = Multiple(secret, Decoded(kSmallOrder[0]));
  std::vector<Number> forms(std::begin(kSmallOrder), std::end(kSmallOrder));
  Number second_one = kPrime;  // y = p + 1, x = 0
  ++second_one[0];
  forms.push_back(second_one);
  forms.push_back(kPrime);  // y = p
  const std::size_t canonical = forms.size();
  for (std::size_t i = 0; i < canonical; ++i) {
    forms.push_back(forms[i]);
    forms.back()[31] ^= 0x80;
  }
  for (const Number& form : forms) {
    Batch batch = GoodBatch(9, 18);
    batch.Add(key, Bytes{1, 2, 3}, Finished(key, form, Small(0), secret, Bytes{1, 2, 3}));
    REQUIRE(batch.Bad() == Indices{9});
  }
}

// With such a key anything verifies once there is the factor 8.
TEST_CASE("a key of small order is refused in every form", "[crypto]") {
  AesCtrStream rng = Seeded(19);
  const Number r = RandomScalar(rng);
  const Number r_form = Multiple(r, Decoded(kSmallOrder[0]));
  Number second_one = kPrime;
  ++second_one[0];
  std::vector<Number> forms(std::begin(kSmallOrder), std::end(kSmallOrder));
  forms.push_back(second_one);
  forms.push_back(kPrime);
  for (const Number& key : forms) {
    Batch batch = GoodBatch(9, 20);
    batch.Add(key, Bytes{7}, Finished(key, r_form, r, Small(0), Bytes{7}));
    REQUIRE(batch.Bad() == Indices{9});
  }
}

TEST_CASE("keys and points R that are not of the curve or have y above the prime are refused",
          "[crypto]") {
  Batch batch = GoodBatch(8, 21);
  for (unsigned low = 200; low < 256; ++low) {
    Number bytes = kPrime;  // p - 37 ... p + 18; about half of those below p are points
    bytes[0] = static_cast<std::uint8_t>(low);
    batch.entries[0].key = bytes;
    SetPart(std::span(batch.entries[1].signature).first(32), bytes);
    REQUIRE(batch.Bad() == Indices{0, 1});
  }
}

// What ed25519_batch.h says of a key or R with a part of small order: whatever Verify accepts is
// accepted, and what only its owner could make is accepted with the factor 8.
TEST_CASE("with parts of small order a batch accepts what Verify accepts and what 8 hides",
          "[crypto]") {
  AesCtrStream rng = Seeded(22);
  Batch batch = GoodBatch(8, 23);
  int refused_one_by_one = 0;
  int accepted_one_by_one = 0;
  for (const Number& of_key : kSmallOrder) {
    for (const Number& of_r : kSmallOrder) {
      Bytes message(20);
      rng.Fill(message);
      AddCrafted(batch,
                 {.secret = RandomScalar(rng),
                  .r = RandomScalar(rng),
                  .of_key = Decoded(of_key),
                  .of_r = Decoded(of_r)},
                 message);
      REQUIRE(batch.Bad() == Indices{});
      const Indices strict = batch.BadOneByOne();
      (strict.empty() ? accepted_one_by_one : refused_one_by_one) += 1;
      // With a bad one besides, Verify decides on all.
      batch.entries[0].signature[50] ^= 1;
      Indices expected{0};
      expected.insert(expected.end(), strict.begin(), strict.end());
      REQUIRE(batch.Bad() == expected);
      // A part of small order does not help over another message.
      batch.entries[0].signature[50] ^= 1;
      batch.messages.back()[0] ^= 1;
      REQUIRE(batch.Bad() == Indices{8});
      batch.entries.pop_back();
    }
  }
  REQUIRE(accepted_one_by_one > 0);
  REQUIRE(refused_one_by_one > 40);
}

}  // namespace
}  // namespace tutti::crypto

// Shamir sharing, the roster's tree and the bytes that are hashed and signed.
#include <algorithm>
#include <cmath>

#include "common/secagg/binding.h"
#include "common/secagg/merkle.h"
#include "common/secagg/shamir.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::secagg {
namespace {

Secret32 SecretOf(std::uint8_t first) {
  Secret32 secret;
  for (std::size_t i = 0; i < 32; ++i) {
    secret.mutable_view()[i] = static_cast<std::uint8_t>(first + 7 * i);
  }
  return secret;
}

bool Same(const Secret32& a, const Secret32& b) { return EqualInConstantTime(a.view(), b.view()); }

std::vector<SecretShare> Chosen(const std::vector<Secret32>& shares, TestRng& draw,
                                std::size_t count) {
  std::vector<std::size_t> order(shares.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[draw.Below(i)]);
  }
  std::vector<SecretShare> chosen;
  for (std::size_t i = 0; i < count; ++i) {
    chosen.push_back({.point = static_cast<std::uint8_t>(order[i] + 1), .value = shares[order[i]]});
  }
  return chosen;
}

}  // namespace

TEST_CASE("any threshold of shares gives the secret back", "[secagg]") {
  SeededSecureRng rng(1);
  TestRng draw(2);
  const Secret32 secret = SecretOf(200);
  for (const auto& [t, n] :
       {std::pair<std::uint32_t, std::uint32_t>{1, 1}, {2, 3}, {4, 7}, {22, 32}, {150, 254}}) {
    const std::vector<Secret32> shares = SplitSecret(secret, t, n, rng);
    REQUIRE(shares.size() == n);
    for (int trial = 0; trial < 20; ++trial) {
      const std::size_t count = t + draw.Below(n - t + 1);
      const StatusOr<Secret32> rebuilt = RebuildSecret(Chosen(shares, draw, count));
      REQUIRE(rebuilt.ok());
      REQUIRE(Same(*rebuilt, secret));
    }
  }
}

TEST_CASE("shares lie on the polynomial a table of the field gives", "[secagg]") {
  // GF(2^8) by schoolbook multiplication with the polynomial 0x11b (FIPS 197 section 4.2),
  // independent of the library.
  const auto multiply = [](unsigned a, unsigned b) {
    unsigned product = 0;
    for (; b != 0; b >>= 1, a = (a << 1) ^ ((a & 0x80) != 0 ? 0x11bU : 0U)) {
      product ^= (b & 1) != 0 ? a : 0U;
    }
    return product;
  };
  REQUIRE(multiply(0x57, 0x83) == 0xc1);  // FIPS 197's example
  SeededSecureRng rng(3);
  SeededSecureRng again(3);
  const Secret32 secret = SecretOf(9);
  const std::vector<Secret32> shares = SplitSecret(secret, 3, 254, rng);
  ByteArray<32> linear, square;
  again.Fill(linear);
  again.Fill(square);
  for (unsigned x = 1; x <= 254; ++x) {
    for (std::size_t i = 0; i < 32; ++i) {
      const unsigned expected =
          secret.view()[i] ^ multiply(linear[i], x) ^ multiply(square[i], multiply(x, x));
      REQUIRE(shares[x - 1].view()[i] == expected);
    }
  }
}

TEST_CASE("one share too few says nothing about the secret", "[secagg]") {
  // Rebuilding from t - 1 shares gives each byte value equally often over fresh sharings of one
  // secret: chi-square with 255 degrees of freedom over 64000 bytes, passed by a uniform source
  // with probability 1 - 2.5e-5. Fixed seed.
  SeededSecureRng rng(4);
  TestRng draw(5);
  const Secret32 secret = SecretOf(0);
  std::vector<double> seen(256, 0);
  for (int trial = 0; trial < 2000; ++trial) {
    const std::vector<Secret32> shares = SplitSecret(secret, 4, 7, rng);
    const StatusOr<Secret32> guess = RebuildSecret(Chosen(shares, draw, 3));
    for (const std::uint8_t byte : guess->view()) {
      ++seen[byte];
    }
  }
  double chi_square = 0;
  for (const double count : seen) {
    chi_square += (count - 250) * (count - 250) / 250;
  }
  REQUIRE(chi_square < 357);
}

TEST_CASE("shares without distinct points are refused", "[secagg]") {
  const SecretShare share{.point = 3, .value = SecretOf(1)};
  REQUIRE_FALSE(RebuildSecret({}).ok());
  REQUIRE_FALSE(RebuildSecret(std::vector<SecretShare>{share, share}).ok());
  REQUIRE_FALSE(RebuildSecret(std::vector<SecretShare>{{.point = 0, .value = SecretOf(1)}}).ok());
}

TEST_CASE("a proof shows leaves at their own places of their own tree only", "[secagg]") {
  TestRng rng(3);
  for (std::uint32_t size = 1; size <= 33; ++size) {
    std::vector<Digest> leaves;
    for (std::uint32_t i = 0; i < size; ++i) {
      leaves.push_back(MerkleLeaf(ByteArray<1>{static_cast<std::uint8_t>(i)}));
    }
    const MerkleTree tree(leaves);
    // Each leaf alone, all of them, and some.
    std::vector<std::vector<std::uint32_t>> choices(size + 1);
    for (std::uint32_t i = 0; i < size; ++i) {
      choices[i] = {i};
      choices[size].push_back(i);
    }
    for (int i = 0; i < 8; ++i) {
      std::vector<std::uint32_t> some;
      std::copy_if(choices[size].begin(), choices[size].end(), std::back_inserter(some),
                   [&](std::uint32_t) { return rng.Below(3) == 0; });
      choices.push_back(some.empty() ? std::vector<std::uint32_t>{0} : some);
    }
    for (const std::vector<std::uint32_t>& places : choices) {
      std::vector<PlacedDigest> shown;
      for (const std::uint32_t place : places) {
        shown.push_back({place, leaves[place]});
      }
      const auto fits = [&](const std::vector<PlacedDigest>& claimed,
                            const std::vector<Digest>& proof) {
        return MerkleProofFits(tree.root(), size, claimed, proof);
      };
      const std::vector<Digest> proof = tree.ProofOf(places);
      REQUIRE(fits(shown, proof));
      REQUIRE(proof.size() <= 6 * places.size());
      REQUIRE(proof.size() <= size - places.size());
      REQUIRE_FALSE(fits({}, proof));
      for (std::size_t i = 0; i < shown.size(); ++i) {
        std::vector<PlacedDigest> changed = shown;
        changed[i].digest = MerkleLeaf(ByteArray<1>{99});
        REQUIRE_FALSE(fits(changed, proof));
        for (std::uint32_t other = 0; other < size + 2; ++other) {
          changed = shown;
          changed[i].place = other;
          REQUIRE(fits(changed, proof) == (other == places[i]));
        }
        changed = shown;
        changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), shown[i]);
        REQUIRE_FALSE(fits(changed, proof));
      }
      for (std::size_t i = 0; i < proof.size(); ++i) {
        std::vector<Digest> changed = proof;
        changed[i][7] ^= 1;
        REQUIRE_FALSE(fits(shown, changed));
      }
      std::vector<Digest> longer = proof;
      longer.push_back(Digest{});
      REQUIRE_FALSE(fits(shown, longer));
      if (!proof.empty()) {
        REQUIRE_FALSE(fits(shown, {proof.begin(), proof.end() - 1}));
      }
    }
  }
}

TEST_CASE("a bitmap has one form", "[secagg]") {
  Bytes bitmap = EmptyBitmap(11);
  REQUIRE(bitmap.size() == 2);
  SetBit(bitmap, 0);
  SetBit(bitmap, 10);
  REQUIRE(bitmap == Bytes{1, 4});
  REQUIRE(TestBit(bitmap, 10));
  REQUIRE_FALSE(TestBit(bitmap, 9));
  REQUIRE_FALSE(TestBit(bitmap, 1000));
  REQUIRE(CountBits(bitmap) == 2);
  REQUIRE(IsBitmapOf(bitmap, 11));
  REQUIRE_FALSE(IsBitmapOf(bitmap, 10));
  REQUIRE_FALSE(IsBitmapOf(bitmap, 17));
  REQUIRE(IsBitmapOf(Bytes{255}, 8));
}

TEST_CASE("what is derived or signed is bound to its round, its ends and its direction",
          "[secagg]") {
  Digest one{};
  Digest other{};
  other[0] = 1;
  const Secret32 secret = SecretOf(3);
  const auto bytes = [](const auto& value) {
    return Bytes(value.view().begin(), value.view().end());
  };
  REQUIRE(SeedCommitment(one, secret) != SeedCommitment(other, secret));
  REQUIRE(bytes(PairSecret(one, secret)) != bytes(PairSecret(other, secret)));
  REQUIRE(bytes(BoxKey(secret, 1, 2)) != bytes(BoxKey(secret, 2, 1)));
  REQUIRE(BoxAssociatedData(one, 1, 2) != BoxAssociatedData(one, 2, 1));
  REQUIRE(BoxAssociatedData(one, 1, 2) != BoxAssociatedData(other, 1, 2));
  REQUIRE(bytes(PairMaskSeed(secret, 1, 2)) == bytes(PairMaskSeed(secret, 2, 1)));
  REQUIRE(bytes(PairMaskSeed(secret, 1, 2)) != bytes(PairMaskSeed(secret, 1, 3)));
  REQUIRE(bytes(SelfMaskSeed(one, secret, 1)) != bytes(SelfMaskSeed(other, secret, 1)));
  REQUIRE(bytes(SelfMaskSeed(one, secret, 1)) != bytes(SelfMaskSeed(one, secret, 2)));
  REQUIRE(JoinStatement(one, Join{}) != JoinStatement(other, Join{}));
  REQUIRE(JoinLeaf(1, Join{}) != JoinLeaf(2, Join{}));
  REQUIRE(SharesStatement(one, 1, {}) != SharesStatement(other, 1, {}));
  REQUIRE(SharesStatement(one, 1, {}) != SharesStatement(one, 2, {}));
  REQUIRE(HeaderStatement(one, 1, {}, {}) != HeaderStatement(other, 1, {}, {}));
  REQUIRE(CommitStatement(one, one) != CommitStatement(other, one));
  REQUIRE(CommitStatement(one, one) != CommitStatement(one, other));
}

TEST_CASE("each share is checked by its own half of the hash", "[secagg]") {
  Digest session{};
  const Secret32 seed_share = SecretOf(1);
  const Secret32 key_share = SecretOf(2);
  const ByteArray<16> hash = ShareHash(session, 4, 5, seed_share.view(), key_share.view());
  REQUIRE(ShareFitsHash(hash, session, 4, 5, ShareKind::kSeed, seed_share.view()));
  REQUIRE(ShareFitsHash(hash, session, 4, 5, ShareKind::kMaskKey, key_share.view()));
  REQUIRE_FALSE(ShareFitsHash(hash, session, 4, 5, ShareKind::kMaskKey, seed_share.view()));
  REQUIRE_FALSE(ShareFitsHash(hash, session, 5, 4, ShareKind::kSeed, seed_share.view()));
}

}  // namespace tutti::secagg

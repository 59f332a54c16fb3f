#include "common/crypto/box.h"

#include "tests/unit/crypto/support.h"

namespace tutti::crypto {
namespace {

TEST_CASE("boxes are AES-256-GCM under a zero nonce", "[crypto]") {
  // Test cases 13 and 14 in "The Galois/Counter Mode of Operation" (McGrew, Viega), appendix B.
  REQUIRE(ToHex(Seal(Secret32(), {}, {})) == "530f8afbc74536b9a963b4f1c4cb738b");
  REQUIRE(ToHex(Seal(Secret32(), {}, Bytes(16))) ==
          "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST_CASE("a box opens to what was sealed, at any length", "[crypto]") {
  AesCtrStream rng = Seeded(6);
  for (std::size_t length = 0; length < 70; ++length) {
    Secret32 key;
    rng.Fill(key.mutable_view());
    Bytes plaintext(length), associated(69 - length);
    rng.Fill(plaintext);
    rng.Fill(associated);
    const Bytes sealed = Seal(key, associated, plaintext);
    REQUIRE(sealed.size() == length + kBoxOverhead);
    const StatusOr<Bytes> opened = Open(key, associated, sealed);
    REQUIRE(opened.ok());
    REQUIRE(*opened == plaintext);
  }
}

TEST_CASE("a box with any changed bit, other associated data or another key does not open",
          "[crypto]") {
  AesCtrStream rng = Seeded(7);
  Secret32 key, other;
  rng.Fill(key.mutable_view());
  rng.Fill(other.mutable_view());
  const Bytes plaintext = Sequence(1, 40);
  const Bytes sealed = Seal(key, AsBytes("from 1 to 2"), plaintext);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes changed = sealed;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    REQUIRE(Open(key, AsBytes("from 1 to 2"), changed).status().code() == StatusCode::kDataLoss);
  }
  REQUIRE(Open(key, AsBytes("from 2 to 1"), sealed).status().code() == StatusCode::kDataLoss);
  REQUIRE(Open(key, {}, sealed).status().code() == StatusCode::kDataLoss);
  REQUIRE(Open(other, AsBytes("from 1 to 2"), sealed).status().code() == StatusCode::kDataLoss);
  REQUIRE(Open(key, AsBytes("from 1 to 2"), sealed).ok());
}

TEST_CASE("a box cut short or made longer does not open", "[crypto]") {
  const Secret32 key;
  Bytes sealed = Seal(key, {}, Sequence(1, 8));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    REQUIRE(Open(key, {}, BytesView(sealed).first(size)).status().code() == StatusCode::kDataLoss);
  }
  sealed.push_back(0);
  REQUIRE(Open(key, {}, sealed).status().code() == StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tutti::crypto

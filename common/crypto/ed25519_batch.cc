#include "common/crypto/ed25519_batch.h"

#include <openssl/evp.h>
#include <sodium/crypto_core_ed25519.h>

#include <algorithm>
#include <optional>

#include "common/crypto/edwards25519.h"
#include "common/crypto/hash.h"
#include "common/crypto/openssl_handles.h"
#include "common/crypto/random.h"
#include "common/crypto/sodium_start.h"

namespace tutti::crypto {
namespace {

using Scalar = ByteArray<32>;  // little-endian, modulo the group order

// Below this many signatures Verify is as fast.
constexpr std::size_t kFewest = 6;

Scalar Product(const Scalar& a, const Scalar& b) {
  Scalar product;
  crypto_core_ed25519_scalar_mul(product.data(), a.data(), b.data());
  return product;
}

Scalar Sum(const Scalar& a, const Scalar& b) {
  Scalar sum;
  crypto_core_ed25519_scalar_add(sum.data(), a.data(), b.data());
  return sum;
}

Scalar Negative(const Scalar& a) {
  Scalar negative;
  crypto_core_ed25519_scalar_negate(negative.data(), a.data());
  return negative;
}

bool IsBelowGroupOrder(const Scalar& a) {
  // 2^252 + 27742317777372353535851937790883648493 (RFC 8032 section 5.1)
  static constexpr Scalar kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                    0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                    0,    0,    0,    0,    0,    0,    0,    0,
                                    0,    0,    0,    0,    0,    0,    0,    0x10};
  return std::lexicographical_compare(a.rbegin(), a.rend(), kOrder.rbegin(), kOrder.rend());
}

std::optional<ed25519::AddedPoint> DecodeLarge(const ByteArray<32>& encoding) {
  return ed25519::HasSmallOrder(encoding) ? std::nullopt : ed25519::Decode(encoding);
}

// A batch's equation as it is put together.
class Equation {
 public:
  explicit Equation(std::size_t signatures);
  // False when the signature is refused for its form.
  bool Add(const SignedMessage& one);
  // Whether 8 times the weighted sum of all differences is zero. Once.
  bool Holds();

 private:
  struct Parts {
    ed25519::AddedPoint key;
    ed25519::AddedPoint r;
    Scalar hash;
    Scalar s;
  };

  DigestContext hash_;
  Sha256Stream transcript_;
  std::vector<Parts> parts_;
};

Equation::Equation(std::size_t signatures) : hash_(EVP_MD_CTX_new()) {
  TUTTI_CHECK(hash_ != nullptr);
  parts_.reserve(signatures);
}

bool Equation::Add(const SignedMessage& one) {
  const BytesView signature = one.signature;
  Parts parts;
  ByteArray<32> r;
  std::ranges::copy(signature.first<32>(), r.begin());
  std::ranges::copy(signature.last<32>(), parts.s.begin());
  const std::optional<ed25519::AddedPoint> key = DecodeLarge(one.key);
  const std::optional<ed25519::AddedPoint> point = DecodeLarge(r);
  if (!IsBelowGroupOrder(parts.s) || !key.has_value() || !point.has_value()) {
    return false;
  }
  parts.key = *key;
  parts.r = *point;
  ByteArray<64> wide;
  TUTTI_CHECK(EVP_DigestInit_ex2(hash_.get(), Sha512Algorithm(), nullptr) == 1);
  for (const BytesView part : {BytesView(r), BytesView(one.key), one.message}) {
    TUTTI_CHECK(part.empty() || EVP_DigestUpdate(hash_.get(), part.data(), part.size()) == 1);
  }
  TUTTI_CHECK(EVP_DigestFinal_ex(hash_.get(), wide.data(), nullptr) == 1);
  // The hash stands for R, A and M.
  transcript_.Update(wide);
  transcript_.Update(parts.s);
  crypto_core_ed25519_scalar_reduce(parts.hash.data(), wide.data());
  parts_.push_back(parts);
  return true;
}

bool Equation::Holds() {
  const Digest seed = transcript_.Finish();
  AesCtrStream weights{Secret32(seed)};
  std::vector<ed25519::Term> terms;
  terms.reserve(2 * parts_.size() + 1);
  Scalar of_base{};
  // Signs turned: the sum of z h A + z R, less the sum of z S times B.
  for (const Parts& parts : parts_) {
    Scalar weight{};
    weights.Fill(std::span(weight).first<16>());
    of_base = Sum(of_base, Product(weight, parts.s));
    terms.push_back({parts.key, Product(weight, parts.hash)});
    terms.push_back({parts.r, weight});
  }
  terms.push_back({ed25519::BasePoint(), Negative(of_base)});
  ed25519::Point sum = ed25519::WeightedSum(terms);
  for (int i = 0; i < 3; ++i) {
    sum = ed25519::Double(sum);
  }
  return ed25519::IsNeutral(sum);
}

bool AllAreGood(std::span<const SignedMessage> batch) {
  StartSodium();
  Equation equation(batch.size());
  return std::ranges::all_of(batch, [&](const SignedMessage& one) { return equation.Add(one); }) &&
         equation.Holds();
}

}  // namespace

std::vector<std::size_t> BadSignatures(std::span<const SignedMessage> batch) {
  std::vector<std::size_t> bad;
  if (batch.size() >= kFewest && AllAreGood(batch)) {
    return bad;
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!Verify(batch[i].key, batch[i].message, batch[i].signature)) {
      bad.push_back(i);
    }
  }
  return bad;
}

}  // namespace tutti::crypto

#include "common/crypto/keys.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium/crypto_sign.h>

#include "common/crypto/openssl_handles.h"
#include "common/crypto/sodium_start.h"

namespace tutti::crypto {
namespace {

Secret32 RandomKey(SecureRng& rng) {
  Secret32 key;
  rng.Fill(key.mutable_view());
  return key;
}

ByteArray<32> RawPublicOf(int type, const Secret32& key) {
  const PkeyHandle pkey = PrivatePkey(type, key.view().data());
  ByteArray<32> raw{};
  std::size_t size = raw.size();
  TUTTI_CHECK(EVP_PKEY_get_raw_public_key(pkey.get(), raw.data(), &size) == 1);
  TUTTI_CHECK(size == raw.size());
  return raw;
}

// The private half alone. Importing a raw private key multiplies the base point to learn the public
// half, which would double the cost of each agreement and is never read by one; naming a public
// half, here zeros, skips that. The result is good for deriving only and stays inside Agreement.
PkeyHandle AgreementKey(const X25519Private& key) {
  static constexpr std::uint8_t kUnusedPublic[32] = {};
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY,
                                        const_cast<std::uint8_t*>(key.view().data()), 32),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(kUnusedPublic), 32),
      OSSL_PARAM_construct_end()};
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr));
  TUTTI_CHECK(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* imported = nullptr;
  if (EVP_PKEY_fromdata(context.get(), &imported, EVP_PKEY_KEYPAIR, parameters) != 1) {
    ERR_clear_error();  // a provider may check that the halves belong together
    return PrivatePkey(EVP_PKEY_X25519, key.view().data());
  }
  return PkeyHandle(imported);
}

}  // namespace

X25519Private NewX25519Key(SecureRng& rng) { return RandomKey(rng); }

X25519Public PublicOf(const X25519Private& key) { return RawPublicOf(EVP_PKEY_X25519, key); }

struct Agreement::State {
  PkeyHandle key;
  PkeyContext context;
  PkeyHandle peer;  // given each partner's bytes in turn
};

Agreement::Agreement(const X25519Private& mine)
    : state_(std::make_unique<State>(State{.key = AgreementKey(mine), .context = {}, .peer = {}})) {
  state_->context.reset(EVP_PKEY_CTX_new(state_->key.get(), nullptr));
  TUTTI_CHECK(state_->context != nullptr && EVP_PKEY_derive_init(state_->context.get()) == 1);
  state_->peer = PublicPkey(EVP_PKEY_X25519, X25519Public{}.data());
}

Agreement::~Agreement() = default;

StatusOr<Secret32> Agreement::With(const X25519Public& theirs) {
  EVP_PKEY_CTX* const context = state_->context.get();
  TUTTI_CHECK(EVP_PKEY_set1_encoded_public_key(state_->peer.get(), theirs.data(), theirs.size()) ==
              1);
  // No validation of the peer's key: every 32-byte string is a valid X25519 public key (RFC 7748
  // section 5), and the check that matters, the all-zero output of low-order points, is below.
  TUTTI_CHECK(EVP_PKEY_derive_set_peer_ex(context, state_->peer.get(), 0) == 1);
  Secret32 shared;
  std::size_t size = 32;
  const int derived = EVP_PKEY_derive(context, shared.mutable_view().data(), &size);
  const Secret32 zero;
  if (derived != 1 || size != 32 || EqualInConstantTime(shared.view(), zero.view())) {
    ERR_clear_error();
    return InvalidArgument(
        "x25519 public key is a point of low order, which gives the same secret "
        "for every partner; expected a key made by x25519");
  }
  return shared;
}

StatusOr<Secret32> Agree(const X25519Private& mine, const X25519Public& theirs) {
  return Agreement(mine).With(theirs);
}

Ed25519Private NewEd25519Key(SecureRng& rng) { return RandomKey(rng); }

Ed25519Public Ed25519PublicOf(const Ed25519Private& key) {
  return RawPublicOf(EVP_PKEY_ED25519, key);
}

Signature Sign(const Ed25519Private& key, BytesView message) {
  const PkeyHandle pkey = PrivatePkey(EVP_PKEY_ED25519, key.view().data());
  const DigestContext context(EVP_MD_CTX_new());
  TUTTI_CHECK(context != nullptr);
  TUTTI_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1);
  Signature signature{};
  std::size_t size = signature.size();
  TUTTI_CHECK(
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
  TUTTI_CHECK(size == signature.size());
  return signature;
}

bool Verify(const Ed25519Public& key, BytesView message, const Signature& signature) {
  StartSodium();
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                     key.data()) == 0;
}

}  // namespace tutti::crypto

// X25519 key agreement and Ed25519 signatures over OpenSSL 3 EVP; signatures are verified by
// libsodium, in 45 us where OpenSSL takes 100.
// Thread safety: value types and pure functions, safe to call from any thread; an Agreement is
// confined to one thread.
// Sources: RFC 7748 (X25519), RFC 8032 (Ed25519). Tests: the RFCs' own vectors (tests/unit/crypto).
#pragma once

#include <memory>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/base/secret.h"
#include "common/base/status.h"

namespace tutti::crypto {

using X25519Public = ByteArray<32>;
using X25519Private = Secret32;
using Ed25519Public = ByteArray<32>;
using Ed25519Private = Secret32;  // the 32-byte seed of RFC 8032
using Signature = ByteArray<64>;

X25519Private NewX25519Key(SecureRng& rng);
X25519Public PublicOf(const X25519Private& key);
// The 32-byte shared secret. InvalidArgument when the result is all zero (a low-order point).
StatusOr<Secret32> Agree(const X25519Private& mine, const X25519Public& theirs);

// Agreements of one private key with many peers: OpenSSL's objects are made once, which saves a
// fifth of each one's time.
class Agreement {
 public:
  explicit Agreement(const X25519Private& mine);
  ~Agreement();
  StatusOr<Secret32> With(const X25519Public& theirs);  // as Agree

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Ed25519Private NewEd25519Key(SecureRng& rng);
Ed25519Public Ed25519PublicOf(const Ed25519Private& key);
Signature Sign(const Ed25519Private& key, BytesView message);
// The cofactorless equation of RFC 8032 section 5.1.7. Refused besides: a scalar not below the
// group order, a key or point R of small order or not in canonical form, so that no key verifies
// everything and no signature has a second form. Many at once: ed25519_batch.h.
bool Verify(const Ed25519Public& key, BytesView message, const Signature& signature);

}  // namespace tutti::crypto

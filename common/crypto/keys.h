// X25519 key agreement and Ed25519 signatures over OpenSSL 3 EVP.
// Thread safety: value types and pure functions, safe to call from any thread.
// Sources: RFC 7748 (X25519), RFC 8032 (Ed25519). Tests: the RFCs' own vectors (tests/unit/crypto).
#pragma once

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

Ed25519Private NewEd25519Key(SecureRng& rng);
Ed25519Public Ed25519PublicOf(const Ed25519Private& key);
Signature Sign(const Ed25519Private& key, BytesView message);
bool Verify(const Ed25519Public& key, BytesView message, const Signature& signature);

}  // namespace tutti::crypto

// AES-256-GCM with a fixed zero nonce: one message per key, ever. Keys come from HKDF with a fresh
// context each. Thread safety: pure functions. Source: NIST SP 800-38D.
#pragma once

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/base/status.h"

namespace tutti::crypto {

inline constexpr std::size_t kBoxOverhead = 16;  // the tag, after the ciphertext

Bytes Seal(const Secret32& one_time_key, BytesView associated, BytesView plaintext);
// DataLoss when the tag does not fit: wrong key, wrong associated data or altered bytes.
StatusOr<Bytes> Open(const Secret32& one_time_key, BytesView associated, BytesView sealed);

}  // namespace tutti::crypto

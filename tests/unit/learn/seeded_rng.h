// A reproducible SecureRng for tests: AES-CTR keyed with the seed.
#pragma once

#include <cstring>

#include "common/crypto/random.h"

namespace tutti::learn {

inline crypto::AesCtrStream SeededRng(std::uint64_t seed) {
  Secret32 key;
  std::memcpy(key.mutable_view().data(), &seed, sizeof(seed));
  return crypto::AesCtrStream(key);
}

}  // namespace tutti::learn

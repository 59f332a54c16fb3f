#include "common/base/secret.h"

#include <openssl/crypto.h>

namespace tutti {

void Wipe(void* memory, std::size_t size) { OPENSSL_cleanse(memory, size); }

bool EqualInConstantTime(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tutti

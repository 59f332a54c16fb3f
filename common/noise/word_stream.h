// Random 64-bit words for noise: AES-256-CTR under a key of its own, drawn from the generator it is
// given and wiped. Thread safety: confined to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "common/base/rng.h"
#include "common/crypto/random.h"

namespace tutti::noise {

class WordStream {
 public:
  // Takes 32 bytes of `rng` and does not keep it.
  explicit WordStream(SecureRng& rng);
  ~WordStream();
  WordStream(WordStream&&) noexcept = default;
  WordStream& operator=(WordStream&&) noexcept = default;

  void Fill(std::span<std::uint64_t> words);
  std::uint64_t Next();

 private:
  crypto::AesCtrStream stream_;
  std::array<std::uint64_t, 64> words_;
  std::size_t next_ = 64;
};

}  // namespace tutti::noise

// The operating system's randomness through OpenSSL, and a stream of it for noise.
// Thread safety: SystemRng is safe; AesCtrStream is confined to one thread.
#pragma once

#include <memory>

#include "common/base/rng.h"
#include "common/base/secret.h"

namespace tutti::crypto {

// RAND_priv_bytes. Ends the process when the system has no randomness: nothing may continue without
// it.
class SystemRng final : public SecureRng {
 public:
  void Fill(std::span<std::uint8_t> out) override;
};

// AES-256-CTR keystream from `key`, IV 0 (NIST SP 800-38A). One key gives one stream: key it from
// SystemRng for noise.
class AesCtrStream final : public SecureRng {
 public:
  explicit AesCtrStream(const Secret32& key);
  ~AesCtrStream() override;
  AesCtrStream(AesCtrStream&&) noexcept;
  AesCtrStream& operator=(AesCtrStream&&) noexcept;
  void Fill(std::span<std::uint8_t> out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tutti::crypto

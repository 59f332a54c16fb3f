// A SecureRng with a seed, for tests and simulations only: worlds that replay.
// Thread safety: confined to one thread.
#pragma once

#include "common/base/rng.h"

namespace tutti {

class SeededSecureRng final : public SecureRng {
 public:
  explicit SeededSecureRng(std::uint64_t seed) : rng_(seed) {}
  void Fill(std::span<std::uint8_t> out) override {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) {
        word = rng_.Next();
      }
      out[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));
    }
  }

 private:
  TestRng rng_;
};

}  // namespace tutti

// Randomness as an argument. Two types that do not convert: SecureRng makes keys and noise (OpenSSL
// only, common/crypto); TestRng makes reproducible worlds and cannot be passed where keys are made,
// except through SeededSecureRng of tests/. Only trainer.insecure_noise_seed makes noise repeat.
// Thread safety: implementations say so.
#pragma once

#include <cstdint>
#include <span>

namespace tutti {

// A cryptographically secure generator.
class SecureRng {
 public:
  virtual ~SecureRng() = default;
  virtual void Fill(std::span<std::uint8_t> out) = 0;
};

// Unpredictable 64-bit value in [0, bound) without modulo bias; bound > 0.
std::uint64_t UniformBelow(SecureRng& rng, std::uint64_t bound);

// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, for tests and simulations only.
class TestRng {
 public:
  explicit TestRng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace tutti

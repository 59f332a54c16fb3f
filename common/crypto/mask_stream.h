// The mask generator: AES-128-CTR keystream read as little-endian lanes of w = 16, 32 or 64 bits
// and added to (or subtracted from) a vector in one pass. Lane e of a seed's stream is bytes
// [e*w/8, (e+1)*w/8), so any range can be produced alone. Three kernels with equal output, chosen
// at run time: VAES-256 (AVX2), AES-NI, portable (OpenSSL EVP). Thread safety: pure functions over
// the caller's memory; MaskKey is a value.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/secret.h"

namespace tutti::crypto {

using MaskSeed = Secret<16>;  // an AES-128 key

enum class MaskKernel { kBest, kVaes256, kAesNi, kPortable };

// An expanded key schedule, 176 bytes; wiped when it dies.
class MaskKey {
 public:
  explicit MaskKey(const MaskSeed& seed);
  ~MaskKey();
  MaskKey(const MaskKey&) = default;
  MaskKey& operator=(const MaskKey&) = default;
  std::span<const std::uint8_t, 176> schedule() const {
    return std::span<const std::uint8_t, 176>(schedule_);
  }

 private:
  alignas(32) std::uint8_t schedule_[176];
};

bool KernelAvailable(MaskKernel kernel);
std::string_view KernelName(MaskKernel kernel);  // of kBest: the one it stands for on this machine

// lanes[i] += or -= lane (first_lane + i) of the key's stream, mod 2^w. Any length and offset.
void AddMask(const MaskKey& key, std::span<std::uint16_t> lanes, std::uint64_t first_lane,
             bool subtract, MaskKernel kernel = MaskKernel::kBest);
void AddMask(const MaskKey& key, std::span<std::uint32_t> lanes, std::uint64_t first_lane,
             bool subtract, MaskKernel kernel = MaskKernel::kBest);
void AddMask(const MaskKey& key, std::span<std::uint64_t> lanes, std::uint64_t first_lane,
             bool subtract, MaskKernel kernel = MaskKernel::kBest);

}  // namespace tutti::crypto

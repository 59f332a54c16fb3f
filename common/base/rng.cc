#include "common/base/rng.h"

#include <cstring>

namespace tutti {

std::uint64_t UniformBelow(SecureRng& rng, std::uint64_t bound) {
  // Rejection sampling: values below 2^64 mod bound would make small results more likely.
  const std::uint64_t reject_below = (0 - bound) % bound;
  for (;;) {
    std::uint8_t raw[8];
    rng.Fill(raw);
    std::uint64_t value;
    std::memcpy(&value, raw, sizeof value);
    if (value >= reject_below) {
      return value % bound;
    }
  }
}

}  // namespace tutti

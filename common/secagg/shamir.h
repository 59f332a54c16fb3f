// Shamir's secret sharing of 32-byte secrets over GF(2^8), one polynomial a byte. Time depends on
// the number of shares and on their public points only: secret bytes are never an index or a
// condition. Thread safety: pure functions. Source: Shamir 1979; field of FIPS 197 (x^8 + x^4 + x^3
// + x + 1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/secret.h"
#include "common/base/status.h"

namespace tutti::secagg {

struct SecretShare {
  std::uint8_t point = 0;  // 1 .. 255, public
  Secret32 value;
};

// Shares at points 1 .. count, any `threshold` of which give the secret; fewer say nothing about
// it. 1 <= threshold <= count <= 254.
std::vector<Secret32> SplitSecret(const Secret32& secret, std::uint32_t threshold,
                                  std::uint32_t count, SecureRng& rng);

// The value at 0 of the polynomial of degree shares.size() - 1 through the shares. It is the secret
// when all shares are right and there are at least `threshold`; the caller checks it against what
// its owner advertised. InvalidArgument when there is no share, a point is 0 or two points are
// equal.
StatusOr<Secret32> RebuildSecret(std::span<const SecretShare> shares);

}  // namespace tutti::secagg

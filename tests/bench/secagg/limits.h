// What the hardware allows on this machine, for the ratios of docs/performance.md.
// Thread safety: pure functions.
#pragma once

#include "common/crypto/mask_stream.h"

namespace tutti::bench {

// Bytes of mask a second that `kernel` adds to a buffer that stays in the first-level cache.
double MaskBytesPerSecond(crypto::MaskKernel kernel);
// Elements a second of the ring sum of two vectors that no cache holds.
double AddedElementsPerSecond();

}  // namespace tutti::bench

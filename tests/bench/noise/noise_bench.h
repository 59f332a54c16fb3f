// What privacy noise costs in time. Thread safety: confined to one thread.
#pragma once

#include <nlohmann/json.hpp>

#include "common/base/status.h"

namespace tutti::bench {

// CPU milliseconds of one core for a million values, the least of the repetitions:
//   gaussian_ms           the ziggurat on a grid of DP-SGD (noise/gaussian.h)
//   discrete_gaussian_ms  by sigma in grid units
//   skellam_ms            by variance in squared grid units
//   discrete_laplace_ms   by decay
//   rotation_ms           forward, by block_bits
//   encode_ms             rounding at random to 16 bits without noise (secagg::EncodeUpdate)
//   encode_noised_ms      clamp, rounding within a length, discrete Gaussian of 328 grid units
//   limit_cipher_ms       the cipher alone, 8 bytes a value: what every sampler needs at least
StatusOr<nlohmann::json> MeasureNoise();

}  // namespace tutti::bench

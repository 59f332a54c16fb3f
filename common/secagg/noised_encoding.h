// Real vectors to ring elements with this client's share of noise in them: clamp, round at random
// to the grid until the whole numbers' length fits its bound, add whole numbers of noise. What is
// added up afterwards is exact, so the accountant's statement about whole numbers is the statement
// about what the coordinator sees. Thread safety: pure functions. Source: docs/protocol.md
// "encoding"; Kairouz, Liu, Steinke 2021, arXiv:2102.06387, algorithm 1 (conditional rounding).
#pragma once

#include <cstdint>
#include <span>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/secagg/config.h"
#include "common/secagg/encoding.h"

namespace tutti::secagg {

struct NoiseShare {
  enum class Kind { kNone, kDiscreteGaussian, kSkellam };
  Kind kind = Kind::kNone;
  // Of this client's share, in the unit of the values. A discrete Gaussian's parameter: from 2 grid
  // units on the same as its standard deviation.
  double stddev = 0;
};

struct IntegerNoise {
  NoiseShare share = {};
  double clip_limit = 0;  // values are clamped to [-clip_limit, clip_limit] before the noise
  // Largest l2 norm of the rounded vector, in grid units (dp::RoundedL2Norm with beta = e^-1/2).
  // 0: not looked at.
  double l2_bound = 0;
};

// config.value_clip / (2^(value_bits - 1) - 1).
double GridStep(const RoundConfig& config);

// As EncodeUpdate with weight 1 and metrics of 0; `config` has weight_bits = 0. Values are clamped,
// rounded to whole grid steps at random without bias, and drawn again, up to 32 times, while their
// exact length is above l2_bound; then they are rounded towards zero. Noise is added last and never
// clamped: single values may leave the range of value_bits and even wrap around the ring, their sum
// does not (noised_range.h). `clipped_values` counts the clamped ones. InvalidArgument: also when
// even rounding towards zero is longer than l2_bound (the update was not clipped to the length that
// the bound was made for), or the noise is out of the samplers' range.
StatusOr<EncodedUpdate> EncodeNoised(const RoundConfig& config, std::span<const float> values,
                                     const IntegerNoise& noise, SecureRng& rng);

}  // namespace tutti::secagg

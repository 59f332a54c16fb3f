// Real vectors to ring elements and back: clip, unbiased stochastic rounding, weights in an extra
// lane. Thread safety: pure functions. Source: docs/protocol.md "encoding".
#pragma once

#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/secagg/config.h"
#include "common/secagg/ring.h"

namespace tutti::secagg {

struct EncodedUpdate {
  RingVector vector;                 // of config.layout()
  std::uint64_t clipped_values = 0;  // values outside [-value_clip, value_clip]
};

// What EncodeUpdate refuses: a vector of the wrong size or with values that are not finite, a
// weight or metrics out of range.
Status CheckUpdate(const RoundConfig& config, std::span<const float> values, std::uint32_t weight,
                   std::span<const std::uint32_t> metrics);

// `config` has passed CheckRoundConfig. values.size() == config.values, all finite (InvalidArgument
// otherwise). `weight` in 1 .. 2^weight_bits (exactly 1 when weight_bits = 0). metrics: extra_lanes
// - 1 unsigned counters, each below 2^32 / max_cohort. Rounding randomness is drawn from an AES-CTR
// stream keyed by `rng`.
StatusOr<EncodedUpdate> EncodeUpdate(const RoundConfig& config, std::span<const float> values,
                                     std::uint32_t weight, std::span<const std::uint32_t> metrics,
                                     SecureRng& rng);

struct DecodedSum {
  // Weighted mean of the survivors' clipped updates. Error per value below survivors *
  // 2^weight_bits / weight_sum * value_clip / (2^(value_bits-1) - 1) plus float rounding: one
  // quantisation step when every weight is the largest. Its expectation over the rounding is zero
  // (24-bit uniforms: to 2^-24 of a step).
  std::vector<float> mean;
  std::uint64_t weight_sum = 0;
  std::vector<std::uint32_t> metrics;  // sums
};
// InvalidArgument when `sum` is not of config.layout() or survivors is 0. DataLoss when the weight
// lane is impossible for `survivors` clients or a lane lies outside survivors * 2^(q-1): a client
// sent a wrong vector and the sum must not be published.
StatusOr<DecodedSum> DecodeSum(const RoundConfig& config, const RingVector& sum,
                               std::uint32_t survivors);

}  // namespace tutti::secagg

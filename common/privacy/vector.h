// The vector of terms.h: made from an update on the device, taken apart by the coordinator. Thread
// safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/privacy/terms.h"
#include "common/secagg/config.h"
#include "common/secagg/encoding.h"

namespace tutti::privacy {

// How many norms were counted on this device, and how many of them were at most the clip norm. For
// clients: 1, and whether the update was. Read with adaptive clipping only.
struct NormCount {
  std::uint64_t counted = 0;
  std::uint64_t below = 0;
};

// `update` is finite, of the task's values, or of those it samples; `unit_scale` as UnitScale, on
// the device that trained with its own number of examples: clip norm * learning rate / (sampling
// rate * examples). Clients' updates are clipped here. Errors as secagg::EncodeNoised.
StatusOr<secagg::EncodedUpdate> MakeVector(const Terms& terms, const secagg::RoundConfig& round,
                                           std::span<const float> update, double unit_scale,
                                           const NormCount& norms, SecureRng& rng);

// The mean vector of the survivors without rotation and padding, in clip norms: `mean` is
// secagg::DecodedSum::mean of `round`. What the coordinator adds, it adds to this. InvalidArgument
// when `mean` is not of the round.
StatusOr<std::vector<float>> Unrotate(const Terms& terms, const secagg::RoundConfig& round,
                                      std::vector<float> mean);

// Mean update and, with adaptive clipping, the noisy share of norms that were at most the clip
// norm, 0 to 1. `vector`: Unrotate's of `survivors` clients; `unit_scale` as UnitScale.
struct OpenedVector {
  std::vector<float> update;
  double share_below = 0;
};
OpenedVector OpenVector(const v1::TaskSpec& task, const Terms& terms, std::vector<float> vector,
                        std::uint64_t survivors, double unit_scale);

}  // namespace tutti::privacy

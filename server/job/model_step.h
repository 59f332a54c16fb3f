// From a round's open sums to the next model: decode, check, the coordinator's noise, combine the
// groups' means, server optimiser, checkpoint file. What the publisher and the simulator share.
// Memory: a mean for each sum and the new checkpoint. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/base/secret.h"
#include "common/base/status.h"
#include "common/secagg/config.h"
#include "common/secagg/ring.h"
#include "server/aggregate/combine.h"
#include "server/job/job_settings.h"

namespace tutti::server {

// What noise of the coordinator's is drawn from. Borrowed.
struct NoiseSources {
  SecureRng& rng;
  const Secret32* tree_key = nullptr;  // of jobs with noise = "tree" (sum_privacy.h)
};

// One group's mean update, and the share of norms below the clip norm (adaptive clipping).
struct GroupResult {
  aggregate::GroupMean mean;
  double share_below = 0;
};

// The clip norm clients were to use with this checkpoint.
StatusOr<double> ClipNormFor(const PreparedJob& job, BytesView model);

// `sum`: of `survivors` clients, its masks removed, in the ring of `config`; `clip_norm`:
// ClipNormFor. DataLoss: the sum cannot be one of honest clients and is left out.
StatusOr<GroupResult> OpenSum(const PreparedJob& job, const secagg::RoundConfig& config,
                              const secagg::RingVector& sum, std::uint32_t survivors,
                              double clip_norm, const NoiseSources& noise);

// The checkpoint of `round`, made from `model`, the one before it. `before`: the one before that,
// for server.momentum; empty: there is none, and the round takes no momentum. At least one result.
// Errors as aggregate::ApplyFedAvg.
StatusOr<Bytes> NextCheckpoint(const PreparedJob& job, std::uint64_t round, BytesView model,
                               BytesView before, std::vector<GroupResult> results);

}  // namespace tutti::server

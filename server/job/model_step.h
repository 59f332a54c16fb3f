// From a round's open sums to what each group's clients mean together: decode, check, the
// coordinator's noise, the strategy's scales. What the publisher and the simulator share;
// next_model.h goes on. Memory: a mean for each sum. Thread safety: pure functions.
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

// One group's mean update (for scaffold with the control change behind it; nothing in jobs that do
// not train), the share of norms below the clip norm (adaptive clipping), the sums of what clients
// count, and the clients' mean weight in the mixture (AFL).
struct GroupResult {
  aggregate::GroupMean mean;
  double share_below = 0;
  std::vector<std::int64_t> counts = {};
  double mean_weight = 1;
};

// What clients were to train by with this checkpoint.
struct CheckpointTerms {
  double clip_norm = 1;
  double rate_factor = 1;  // of the learning rate (strategy::Plateau)
};
StatusOr<CheckpointTerms> CheckpointTermsOf(const PreparedJob& job, BytesView model);

// `sum`: of `survivors` clients, its masks removed, in the ring of `config`; `terms`: of the
// checkpoint they started from. DataLoss: the sum cannot be one of honest clients and is left out.
StatusOr<GroupResult> OpenSum(const PreparedJob& job, const secagg::RoundConfig& config,
                              const secagg::RingVector& sum, std::uint32_t survivors,
                              const CheckpointTerms& terms, const NoiseSources& noise);

}  // namespace tutti::server

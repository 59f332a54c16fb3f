// The noise on what clients count (common/measure/counts.h) and what the counts cost: computed by
// both sides from the same task and round; a device believes its own result only. Counts are whole
// numbers, so nothing is clipped, rotated or rounded: each client adds discrete Gaussian noise to
// each lane, all of it (noise = "local") or a share that is complete in the sum ("distributed").
// Thread safety: value types and pure functions. Source: Canonne, Kamath, Steinke 2020
// (arXiv:2004.00010); of shares: Kairouz, Liu, Steinke 2021 (arXiv:2102.06387).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/dp/mechanisms.h"
#include "common/measure/counts.h"
#include "common/privacy/terms.h"
#include "common/secagg/config.h"
#include "tutti/v1/task.pb.h"

namespace tutti::privacy {

struct CountTerms {
  measure::CountLayout layout;
  double noise_multiplier = 0;        // that is counted on, for all counts together; 0: no noise
  bool shared = false;                // complete only in the sum
  std::vector<double> share_stddevs;  // of one client's noise, for each lane; empty: no noise
  std::uint64_t fewest_clients = 0;   // in a sum that is opened
  std::uint64_t colluders = 0;        // of them, whose noise is not counted against the coordinator

  // Of the noise in a sum of so many clients, as for measure::NoiseStddevs.
  double NoiseIn(std::uint64_t clients) const;
};

// None for jobs that count nothing. InvalidArgument: measure::LayoutOf's, and settings whose counts
// would be without the noise that the job promises, with what to change.
StatusOr<std::optional<CountTerms>> CountTermsOf(const v1::TaskSpec& task,
                                                 const secagg::RoundConfig& round);

// One round's counts, for a sum of `clients`. 0 steps without noise.
dp::Event CountEvent(const CountTerms& terms, Observer observer, std::uint64_t clients);

// The lanes one client sends, modulo 2^32. FailedPrecondition: a count is so large that the sum of
// max_cohort clients might pass 2^31. InvalidArgument: `counts` is not of the layout.
StatusOr<std::vector<std::uint32_t>> NoisyCounts(const CountTerms& terms,
                                                 const secagg::RoundConfig& round,
                                                 std::span<const std::uint64_t> counts,
                                                 SecureRng& rng);

// The sum's lanes of `clients` as numbers. DataLoss: below what noise alone can make them, so a
// client sent a wrong vector.
StatusOr<std::vector<std::int64_t>> OpenCounts(const CountTerms& terms,
                                               std::span<const std::uint32_t> lanes,
                                               std::uint64_t clients);

}  // namespace tutti::privacy

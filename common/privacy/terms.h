// What a round's privacy rests on in numbers: how the vector that enters the secure sum is made
// from an update, how much noise is in it, and what that costs whom. Both sides compute it from the
// same task and round; a device believes its own result only. For settings with Setting::in_ring();
// examples whose noise the trainer adds have nothing to do with the ring.
//
// The vector, all in clip norms:
//   update, or the round's sample of its values (common/strategy/packing.h), which depends on no
//     data and leaves a unit's length as it is or shorter; / UnitScale, clipped to length 1
//     [client]  |  sum of clipped gradients  [example]
//   one more value with adaptive clipping: count_weight * (number of norms below the clip norm,
//   each
//     less 1/2), so that a unit moves the vector by at most sqrt(1 + (count_weight / 2)^2)
//   zeros up to a whole number of blocks, rotated, values clamped to value_clip, rounded to `step`,
//   noise of stddev share_stddev added (noise_in_ring).
//
// Thread safety: value types and pure functions. Sources: Kairouz, Liu, Steinke 2021
// (arXiv:2102.06387); Agarwal, Kairouz, Liu 2021 (arXiv:2110.04995); Andrew, Thakkar, McMahan,
// Ramaswamy 2021 (arXiv:1905.03871, adaptive clipping); Kairouz et al. 2021 (arXiv:2103.00039,
// DP-FTRL).
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/dp/mechanisms.h"
#include "common/privacy/setting.h"
#include "common/secagg/config.h"
#include "common/secagg/noised_encoding.h"
#include "common/secagg/rotation.h"
#include "tutti/v1/task.pb.h"

namespace tutti::privacy {

struct Terms {
  Setting setting;
  double noise_multiplier = 0;  // stddev of the noise that is counted on, in clip norms
  double sampling_rate = 1;     // of each example in the one step of a round; 1 for clients
  double count_weight = 0;      // 0 without adaptive clipping
  double count_stddev = 0;      // of the noise on the count of norms below the clip norm
  secagg::RotationShape shape;
  double share_stddev = 0;           // of one client's noise, in clip norms; 0: it adds none
  double step = 0;                   // grid, in clip norms
  double l1_sensitivity = 0;         // of one unit, in grid steps, after rounding
  double l2_sensitivity = 0;         // same
  secagg::IntegerNoise encoding;     // for secagg::EncodeNoised, in clip norms
  std::uint64_t fewest_clients = 0;  // in a sum that is opened
  std::uint64_t colluders = 0;       // of them, whose noise is not counted against the coordinator
  std::uint64_t rounds = 0;          // of the job: leaves of a tree
  std::uint64_t planned_rounds = 0;  // one client's
};

// `task` has in_ring() settings. InvalidArgument: what the two say does not fit together or is
// unsafe (a share below 2 grid steps, nobody honest to count on, no noise at all), with what to
// change.
StatusOr<Terms> TermsOf(const v1::TaskSpec& task, const secagg::RoundConfig& round);

// What round.values and round.value_clip have to be for the task: payload lanes after padding, and
// a range for signal and noise. `round` has everything else.
StatusOr<secagg::RoundConfig> FitRing(const v1::TaskSpec& task, secagg::RoundConfig round);

enum class Observer {
  kCoordinator,  // sees the sum, who takes part, and what colluding clients know
  kModels,       // sees the published models only
};

// One round in which a unit takes part, for a sum of `clients`: fewest_clients for the promise,
// the real number for what came true. An UnknownRelease where nothing is promised. A tree's event
// is for all the rounds it may take part in: charged at the first one, 0 steps later.
dp::Event EventOf(const Terms& terms, Observer observer, std::uint64_t clients);

// update = scale * vector: the clip norm; for examples times learning rate / batch size.
double UnitScale(const v1::TaskSpec& task, double clip_norm);

// Clients of an attempt that may work together; chance might put all of them into one group.
std::uint64_t ColludersOf(const secagg::RoundConfig& round);
// What to say when they are all that a sum may consist of.
Status NobodysNoise(const secagg::RoundConfig& round, std::uint64_t colluders);

// Public, the same for all clients of an attempt.
ByteArray<32> RotationSeed(const secagg::RoundConfig& round);

}  // namespace tutti::privacy

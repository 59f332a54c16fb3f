// From the owner's plan to what the trainer is asked for, and from what it trained to the vector
// that enters the secure sum. What the client daemon and the simulator share. Thread safety: value
// types and pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "client/policy/policy.h"
#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/secagg/config.h"
#include "common/secagg/ring.h"
#include "common/strategy/sum_vector.h"
#include "tutti/v1/task.pb.h"

namespace tutti::update {

// What learn::Train is given in place of the task's own sections.
struct LocalTask {
  v1::TrainingSpec training;
  v1::PrivacySpec privacy;
};
// `clip_norm`: the round's. Whole clients are protected after training, and noise in the sum is
// added after it, so that the trainer sees privacy for single examples or none.
LocalTask LocalTaskOf(const v1::TaskSpec& task, const policy::Plan& plan, double clip_norm);

// What the trainer made.
struct Trained {
  std::span<float> update =
      {};  // of the task's values; scaled down in place where the task says so
  strategy::LocalResult local = {};  // of the same update (StrategyState::Local)
  std::uint64_t examples = 0;        // it was trained on
  std::uint64_t norms_counted = 0;  // of single examples' gradients, and those of at most clip norm
  std::uint64_t norms_below = 0;
  std::span<const std::uint64_t> counts = {};  // of plan.counts
  double factor = 1;  // what the update counts: strategy::StalenessFactor of one that is late
};
struct Encoded {
  secagg::RingVector vector;         // not yet masked
  bool scaled_down = false;          // to robust.max_update_norm
  std::uint64_t clipped_values = 0;  // outside [-clip_limit, clip_limit]
  double clip_limit = 0;
};
// `task` is that of the round (strategy::TaskOfRound). A factor below 1 scales the update where it
// is, after its own clipping and before any noise in the sum: a client's bound holds for it and the
// noise stays whole. OutOfRange when a value of the update is not
// finite; other errors as strategy::MakeSumVector, secagg::EncodeUpdate, privacy::MakeVector and
// privacy::NoisyCounts. Jobs that do not train have no update: `trained` holds counts alone.
StatusOr<Encoded> Encode(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                         const policy::Plan& plan, double clip_norm, const Trained& trained,
                         SecureRng& rng);

// Lanes of `vector` (strategy::Pack); the weight is 1, or the number of examples when the
// job weighs by it.
StatusOr<Encoded> EncodeWithoutNoise(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                                     std::span<const float> vector, std::uint64_t examples,
                                     SecureRng& rng);

}  // namespace tutti::update

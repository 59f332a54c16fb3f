// The attack on noise in the sum: clients' contributions as the clients make them, the sum of them
// opened as the coordinator opens it. The attacker knows all that colluding clients know: their
// noise is taken off, which is the same as their adding none. Thread safety: confined to one
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/dp/mechanisms.h"
#include "common/privacy/terms.h"
#include "common/secagg/config.h"
#include "tests/bench/audit/bound.h"
#include "tutti/v1/task.pb.h"

namespace tutti::audit {

// One round as the promise allows it at worst: as few clients in the sum as may be, as many of them
// colluding as may be.
struct RoundToAttack {
  v1::TaskSpec task;
  secagg::RoundConfig round;  // fits the task
  privacy::Terms terms;       // of both
  // What is wrong with it; nothing by default.
  double noise_factor = 1;   // of each share, against what it should be
  std::uint32_t silent = 0;  // clients that forget their share
  bool unclipped = false;    // updates enter as long as they are

  // Clients of the sum whose noise the promise counts on. With local noise only the client itself.
  std::uint64_t counted() const;
  // Of one round; the promise.
  dp::Event event() const;
};

struct RoundSettings {
  v1::PrivacySpec privacy = {};    // unit, noise, distribution, clip norm, noise multiplier, rate
  v1::TrainingSpec training = {};  // one plain step with unit "example"
  std::uint64_t values = 0;        // of the model
  std::uint32_t clients = 4;       // in the sum
  std::uint32_t colluders = 1;     // of them, with noise "distributed"
  std::uint32_t value_bits = 20;
};
// Errors as privacy::FitRing and TermsOf.
StatusOr<RoundToAttack> RoundOf(const RoundSettings& settings);

// What the coordinator opens when the counted clients contribute `updates` (in the task's unit) and
// the others none, in clip norms, times the number of clients: a sum, not a mean.
StatusOr<std::vector<float>> OpenedSum(const RoundToAttack& round,
                                       std::span<const std::vector<float>> updates,
                                       double unit_scale, SecureRng& rng);

// Whole clients as canaries, each with an update `length` clip norms long along a value of its own
// (before the clients' own clipping), in `sums` rounds with new clients each.
struct ClientAttack {
  std::uint64_t sums = 1;
  double length = 1;
};
StatusOr<std::vector<Outcome>> Attack(const RoundToAttack& round, const ClientAttack& attack,
                                      SecureRng& coins, SecureRng& rng);

}  // namespace tutti::audit

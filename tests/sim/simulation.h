// One simulated job from submission to its last round: a coordinator, devices and an evaluator that
// run the real cores and the real cryptography, in a world whose size, settings and faults all
// follow from one seed. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/world.h"

namespace tutti::sim {

struct Outcome {
  std::string violation;       // empty: every invariant held and the job finished
  std::string setting;         // what the seed drew, for the failure message
  std::uint64_t rounds = 0;    // published
  std::uint64_t attempts = 0;  // published and failed
  std::uint64_t server_crashes = 0;
  std::uint64_t device_crashes = 0;
  std::uint64_t spoiled = 0;   // sums that failed their checks
  std::uint64_t excluded = 0;  // devices, at the end
  std::uint64_t trace_hash = 0;
};

// While `chaos` (virtual) lasts things go wrong; then the world heals and the job has to end.
// `devices` 0: 3 to 8. `groups`: secure sums a round is split into, at least 3 devices each.
// `liars` of the devices, the last ones, spoil the sums they are in as often as `lies` says; a job
// with liars assumes as many.
struct Options {
  Sabotage sabotage = Sabotage::kNone;
  std::uint32_t devices = 0;
  std::uint64_t rounds = 6;
  std::uint32_t groups = 1;
  std::uint32_t liars = 0;
  double lies = 1;
};

Outcome RunWorld(std::uint64_t seed, const Options& options = {});

}  // namespace tutti::sim

// The simulated world: a virtual clock with what will happen on it, one seeded source of
// chance, and the list of faults that chance may cause. Nothing here knows the protocol. Thread
// safety: confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/text.h"
#include "server/simulate/event_queue.h"

namespace tutti::sim {

// Chances in [0, 1] of one fault at one place where it can happen.
struct Faults {
  double drop = 0;           // a request or its answer is lost
  double duplicate = 0;      // a request or a notice arrives twice
  double stream_break = 0;   // a notice stream breaks with a notice on its way
  double overtake = 0;       // a notice overtakes the one before it
  double upload_break = 0;   // a masked vector breaks off half-way
  double device_crash = 0;   // before an effect of a device is carried out
  double server_crash = 0;   // before an effect of the coordinator is carried out
  double slow = 0;           // a device takes much longer than usual to train
  double refusal = 0;        // a device's owner, trainer or ledger says no
  double publish_fails = 0;  // the store cannot take the model
  double operators = 0;      // the operator stops and resumes the job; checked now and then
};

// What a test may break on purpose in the shells, to see that the simulator notices. Never in the
// product's code.
enum class Sabotage {
  kNone,
  kAccumulateTwice,    // a vector is added twice
  kForgetAccumulate,   // a vector is not added
  kWrongLane,          // one lane of a vector is off by one
  kAddBeforeComplete,  // a vector that broke off half-way is in the sum
  kSkipPersist,        // survivor sets are not written down
  kForgetPublished,    // the published round is not written down
  kSendBeforeCharge,   // the ledger is not debited
  kForgetJournal,      // answers are not written down; a new process does not know them
  kReuseAttempts,      // attempts are numbered from 1 again after a restart, and answers are not
                       // written down
  kLoseTimer,          // the coordinator never learns that time passes
  kReplyTwice,         // a call is answered twice
  kKeepMask,           // one leftover mask stays in the sum
  kBlameAnybody,       // sums that pass their checks are called spoiled
};

class World {
 public:
  explicit World(std::uint64_t seed) : chance_(seed) {}

  Instant now() const { return queue_.now(); }
  TestRng& chance() { return chance_; }
  bool Happens(double probability) {
    return probability > 0 && !healed_ && chance_.Unit() < probability;
  }
  Milliseconds Between(std::int64_t low, std::int64_t high) {
    return Milliseconds{
        low + static_cast<std::int64_t>(chance_.Below(static_cast<std::uint64_t>(high - low + 1)))};
  }
  std::uint64_t NextCall() { return ++calls_; }

  void After(Milliseconds delay, std::function<void()> what) {
    queue_.After(delay, std::move(what));
  }
  // The earliest thing happens; false when nothing is left.
  bool Step() { return queue_.Step(); }

  // From now on nothing goes wrong any more.
  void Heal() { healed_ = true; }
  bool healed() const { return healed_; }

  // Part of the trace: its hash tells two runs apart. Printed when TUTTI_SIM_TRACE is set.
  void Trace(std::string_view line);
  std::uint64_t trace_hash() const { return trace_hash_; }

  // The first broken invariant is kept and ends the run.
  void Violation(std::string text);
  const std::string& violation() const { return violation_; }

  Faults faults;
  Sabotage sabotage = Sabotage::kNone;

 private:
  simulate::EventQueue queue_;
  TestRng chance_;
  std::uint64_t calls_ = 0;
  bool healed_ = false;
  std::uint64_t trace_hash_ = 0xcbf29ce484222325ULL;  // FNV-1a
  std::string violation_;
};

}  // namespace tutti::sim

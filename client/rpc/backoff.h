// How long to wait before the next try: doubling from 0.2 s to 30 s, with jitter so that many
// devices that lost one server do not come back at one moment. Thread safety: confined to one
// thread.
#pragma once

#include <optional>

#include "common/base/clock.h"
#include "common/base/rng.h"

namespace tutti::client_rpc {

class Backoff {
 public:
  static constexpr Milliseconds kFirst{200};
  static constexpr Milliseconds kLongest{30'000};
  // A server can ask for more patience, but not for more than this.
  static constexpr Milliseconds kMostHonoured{3'600'000};

  // `rng` is borrowed.
  explicit Backoff(SecureRng& rng) : rng_(rng) {}

  // The next pause: uniform between half and all of the current step; the step doubles. What the
  // server asked for, cut to kMostHonoured, is a lower bound, spread over another quarter.
  Milliseconds Next(std::optional<Milliseconds> asked = std::nullopt);
  void Reset() { step_ = kFirst; }
  void Slow() { step_ = kLongest; }  // for refusals that only an operator can end

 private:
  SecureRng& rng_;
  Milliseconds step_ = kFirst;
};

}  // namespace tutti::client_rpc

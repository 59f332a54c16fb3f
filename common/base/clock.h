// Time as an argument: cores get instants, shells own clocks.
// Thread safety: implementations say so; RealClock (common/platform) is safe, tests' virtual clock
// is confined.
#pragma once

#include <chrono>
#include <cstdint>

namespace tutti {

using Milliseconds = std::chrono::milliseconds;
// Monotonic time since an arbitrary start. Deadlines use it: a wall clock that steps moves no
// deadline.
using Instant = std::chrono::milliseconds;
// Seconds since 1970-01-01 UTC: for reports, certificates and ledger entries only.
using WallSeconds = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
  virtual WallSeconds Wall() const = 0;
};

}  // namespace tutti

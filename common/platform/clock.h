// The machine's clocks behind tutti::Clock.
// Thread safety: safe.
#pragma once

#include "common/base/clock.h"

namespace tutti::platform {

class RealClock final : public Clock {
 public:
  Instant Now() const override;       // CLOCK_MONOTONIC
  WallSeconds Wall() const override;  // CLOCK_REALTIME
};

}  // namespace tutti::platform

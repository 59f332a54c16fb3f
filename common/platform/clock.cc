#include "common/platform/clock.h"

namespace tutti::platform {

Instant RealClock::Now() const {
  return std::chrono::duration_cast<Instant>(std::chrono::steady_clock::now().time_since_epoch());
}

WallSeconds RealClock::Wall() const {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace tutti::platform

// Time that moves when the test says so.
#pragma once

#include "common/base/clock.h"

namespace tutti::test {

class FixedClock final : public Clock {
 public:
  Instant Now() const override { return now; }
  WallSeconds Wall() const override { return wall; }
  Instant now{1'000'000};
  WallSeconds wall = 1'700'000'000;
};

}  // namespace tutti::test

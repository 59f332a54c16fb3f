// Updates that clients trained and have not sent, in jobs with training.max_staleness: what the
// daemon's client/held_update.h is for one device. What is held is the model that was received and
// when its training is done; the training itself is computed when the update is sent. Thread
// safety: value types.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/clock.h"

namespace tutti::simulate {

// The model of a round as its clients received it.
struct Received {
  std::uint64_t round = 0;
  std::vector<float> values;  // of strategy::CheckpointLayout
  double clip_norm = 0;
};

struct Held {
  std::shared_ptr<const Received> received;
  std::uint64_t attempt = 0;  // of that round
  Instant ready{0};           // when the training is done
};

}  // namespace tutti::simulate

// How differently a model serves the clients, from the one-hot bins in which their own figures lie.
// Thread safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "common/measure/estimate.h"

namespace tutti::measure {

// A figure of a client, as far as its bin tells: in [low, high] of the whole range.
struct Within {
  double low = 0, high = 1;
};

struct ClientSpread {
  // False when the noise hides it: fewer clients than four standard deviations of the noise of all
  // bins together. Then nothing below is meant.
  bool known = false;
  double clients = 0;
  Within lowest, tenth, median, ninetieth, highest;  // client, by rank
  double mean = 0;    // of the bins' centres; the figures' own is within half a bin
  double stddev = 0;  // likewise
};

// `bins`: clients by their figure, rising.
ClientSpread SpreadOf(std::span<const Count> bins);

}  // namespace tutti::measure

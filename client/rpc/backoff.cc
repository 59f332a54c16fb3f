#include "client/rpc/backoff.h"

#include <algorithm>

namespace tutti::client_rpc {
namespace {

// Uniform in [0, most].
Milliseconds Jitter(SecureRng& rng, Milliseconds most) {
  const auto bound = static_cast<std::uint64_t>(most.count()) + 1;
  return Milliseconds(static_cast<std::int64_t>(UniformBelow(rng, bound)));
}

}  // namespace

Milliseconds Backoff::Next(std::optional<Milliseconds> asked) {
  Milliseconds pause = step_ / 2 + Jitter(rng_, step_ - step_ / 2);
  step_ = std::min(2 * step_, kLongest);
  if (asked && *asked > Milliseconds(0)) {
    const Milliseconds honoured = std::min(*asked, kMostHonoured);
    pause = std::max(pause, honoured + Jitter(rng_, honoured / 4));
  }
  return pause;
}

}  // namespace tutti::client_rpc

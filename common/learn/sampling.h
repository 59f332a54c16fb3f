// Which examples a step sees. With privacy: Poisson sampling, every example by its own coin,
// because the accountant assumes exactly that. Without: batches from a shuffled order. Thread
// safety: confined to one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/rng.h"

namespace tutti::learn {

// Each of 0 .. examples-1 with probability `rate` in [0, 1], independently; ascending, maybe empty.
// Coins are 64-bit draws: the rate is met within 2^-53.
std::vector<std::uint32_t> PoissonBatch(SecureRng& rng, std::uint32_t examples, double rate);

// Walks over shuffled orders of all examples; the last batch of each pass is smaller when it must
// be.
class ShuffledBatches {
 public:
  ShuffledBatches(SecureRng& rng, std::uint32_t examples, std::uint32_t batch_size);
  std::vector<std::uint32_t> Next();

 private:
  SecureRng& rng_;
  std::vector<std::uint32_t> order_;
  std::size_t next_;
  std::size_t batch_size_;
};

}  // namespace tutti::learn

#include "common/learn/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace tutti::learn {

std::vector<std::uint32_t> PoissonBatch(SecureRng& rng, std::uint32_t examples, double rate) {
  std::vector<std::uint32_t> chosen;
  if (rate >= 1) {
    chosen.resize(examples);
    std::iota(chosen.begin(), chosen.end(), 0U);
    return chosen;
  }
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(rate, 64));
  chosen.reserve(static_cast<std::size_t>(rate * examples * 1.3) + 16);
  std::array<std::uint64_t, 512> coins;
  for (std::uint32_t i = 0; i < examples; ++i) {
    if (i % coins.size() == 0) {
      rng.Fill({reinterpret_cast<std::uint8_t*>(coins.data()), sizeof(coins)});
    }
    if (coins[i % coins.size()] < threshold) {
      chosen.push_back(i);
    }
  }
  return chosen;
}

ShuffledBatches::ShuffledBatches(SecureRng& rng, std::uint32_t examples, std::uint32_t batch_size)
    : rng_(rng), order_(examples), next_(examples), batch_size_(batch_size) {
  std::iota(order_.begin(), order_.end(), 0U);
}

std::vector<std::uint32_t> ShuffledBatches::Next() {
  if (next_ == order_.size()) {
    for (std::size_t i = order_.size(); i > 1; --i) {
      std::swap(order_[i - 1], order_[UniformBelow(rng_, i)]);
    }
    next_ = 0;
  }
  const std::size_t end = std::min(order_.size(), next_ + batch_size_);
  std::vector<std::uint32_t> batch(order_.begin() + static_cast<std::ptrdiff_t>(next_),
                                   order_.begin() + static_cast<std::ptrdiff_t>(end));
  next_ = end;
  return batch;
}

}  // namespace tutti::learn

#include "common/learn/weight_average.h"

#include <algorithm>

namespace tutti::learn {

WeightAverage::WeightAverage(double decay, std::span<const float> start)
    : decay_(decay), values_(start.begin(), start.end()) {}

void WeightAverage::Add(std::span<const float> weights) {
  if (decay_ == 0) {  // exactly, without rounding
    std::copy(weights.begin(), weights.end(), values_.begin());
    return;
  }
  ++steps_;
  const auto step = static_cast<double>(steps_);
  const auto share = static_cast<float>(1 - std::min(decay_, step / (9 + step)));
  float* const values = values_.data();
  const float* const added = weights.data();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    values[i] += share * (added[i] - values[i]);
  }
}

}  // namespace tutti::learn

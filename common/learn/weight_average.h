// The running average of the weights of a training (TrainingSpec.average_decay): noise in single
// steps averages out, and the average of what was published costs no privacy. Thread safety:
// confined to one thread. Source: B. Polyak, A. Juditsky 1992; exponential form and start as in S.
// De et al. 2022, arXiv:2204.13650.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tutti::learn {

class WeightAverage {
 public:
  // `decay` in [0, 1); 0: the average is always the last weights.
  WeightAverage(double decay, std::span<const float> start);

  // After a step. The average keeps min(decay, t / (9 + t)) of itself at step t = 1, 2, ...
  void Add(std::span<const float> weights);

  std::span<const float> values() const { return values_; }

 private:
  double decay_;
  std::uint64_t steps_ = 0;
  std::vector<float> values_;
};

}  // namespace tutti::learn

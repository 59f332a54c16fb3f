// Server optimisers that give each weight a step size of its own: the mean update is taken as a
// gradient and its mean and mean square over the rounds decide how far each weight goes.
// Thread safety: value types and pure functions. Source: Reddi et al. 2021 (arXiv:2003.00295),
// algorithm 2: m = beta1 m + (1 - beta1) d, v as the optimiser says, model += rate m / (sqrt(v) +
// tau), without bias correction; v starts at tau^2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"

namespace tutti::aggregate {

enum class Adaptive : std::uint8_t {
  kAdagrad,  // v += d^2
  kAdam,     // v = beta2 v + (1 - beta2) d^2
  kYogi,     // v -= (1 - beta2) d^2 sign(v - d^2)
};

struct AdaptiveRule {
  Adaptive kind = Adaptive::kAdam;
  double learning_rate = 1;  // above 0
  double beta1 = 0;          // 0 to below 1
  double beta2 = 0.99;       // 0 to below 1; adagrad has none
  double tau = 1e-3;         // above 0
};

// What is kept from round to round. Empty: before the first round.
struct Moments {
  std::vector<float> mean;    // m
  std::vector<float> square;  // v
};

// `next` has the model's size and does not overlap it; `moments` become those after this round,
// after an error they are as before. InvalidArgument when sizes differ or the rule is out of range;
// DataLoss naming the first place where the result is not a finite number.
Status ApplyAdaptive(const AdaptiveRule& rule, std::span<const float> model,
                     std::span<const float> mean_update, Moments& moments, std::span<float> next);

}  // namespace tutti::aggregate

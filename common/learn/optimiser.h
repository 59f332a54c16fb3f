// Local optimisers over the flat weight vector. Their state lives for one round of local training.
// Thread safety: confined to one thread.
// Sources: SGD with momentum as in torch.optim.SGD (buffer = momentum * buffer + gradient; no
// dampening); Adam: Kingma and Ba 2015 with beta 0.9 and 0.999, epsilon 1e-8. Weight decay is added
// to the gradient.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::learn {

class Optimiser {
 public:
  // InvalidArgument on an unknown optimiser, a rate out of range, or momentum with Adam.
  static StatusOr<Optimiser> Create(const v1::TrainingSpec& training, std::size_t values);

  // One step; `gradient` is of the mean loss.
  void Step(std::span<const float> gradient, std::span<float> weights);

 private:
  Optimiser() = default;
  void StepSgd(std::span<const float> gradient, std::span<float> weights);
  void StepAdam(std::span<const float> gradient, std::span<float> weights);

  bool adam_ = false;
  float learning_rate_ = 0;
  float momentum_ = 0;
  float weight_decay_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<float> first_;   // momentum buffer, or Adam's mean of gradients
  std::vector<float> second_;  // Adam's mean of squares
};

}  // namespace tutti::learn

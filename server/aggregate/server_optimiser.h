// The server's optimiser: how the mean of the survivors' updates moves the model.
// Thread safety: pure functions. Source: McMahan et al. 2017 (FedAvg), Reddi et al. 2021 (server
// learning rate), Hsu, Qi, Brown 2019 (arXiv:1909.06335, FedAvgM).
#pragma once

#include <span>

#include "common/base/status.h"

namespace tutti::aggregate {

// next[i] = model[i] + learning_rate * mean_update[i], computed in float. `next` has the model's
// size and does not overlap it: the model stays whole whatever happens. InvalidArgument when sizes
// differ or learning_rate is not positive and finite; DataLoss naming the first place where the
// result is not a finite number (`next` is then not a model).
Status ApplyFedAvg(std::span<const float> model, std::span<const float> mean_update,
                   double learning_rate, std::span<float> next);

// FedAvgM without a state of its own: next[i] += momentum * (model[i] - previous[i]), the step the
// last round took. With v = momentum * v + mean_update this is next = model + learning_rate * v.
// Errors as ApplyFedAvg; `momentum` in [0, 1).
Status AddMomentum(std::span<const float> previous, std::span<const float> model, double momentum,
                   std::span<float> next);

}  // namespace tutti::aggregate

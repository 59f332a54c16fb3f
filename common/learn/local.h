// A client's whole part of a round of training as its job's strategy has it: the loss before, the
// training with what is added to each step, the personal model. Thread safety: confined to one
// thread. Torch-free.
#pragma once

#include "common/learn/network.h"
#include "common/learn/train.h"

namespace tutti::learn {

struct LocalTraining {
  TrainResult result;
  double initial_loss = 0;  // of the received weights; with training.fairness_power or
                            // agnostic_rate only
};

// `weights` as Train. `extra`: what strategy::Kept says, of as many values: scaffold's drift, or
// the personal weights, which are trained in place (Ditto: the same steps on the same data, pulled
// towards the received weights; they stay on the device, so no noise is added to them); else empty.
// hooks.terms is filled in here. InvalidArgument when `extra` does not fit; other errors as Train.
StatusOr<LocalTraining> TrainLocally(Network& network, const v1::TrainingSpec& training,
                                     const v1::PrivacySpec& privacy, const DataView& data,
                                     std::span<float> weights, std::span<float> extra,
                                     SecureRng& rng, const Progress& progress,
                                     TrainHooks hooks = {});

}  // namespace tutti::learn

// Agnostic federated learning: the model that is best for the worst mixture of the clients. The
// mixture's weights grow by exponentiated gradient ascent, w_i <- w_i exp(rate * loss_i), on the
// devices: nobody sees a single loss or weight, the coordinator sees their mean. That mean is a
// common factor, which it writes into the checkpoint; devices take it out again, so that the mean
// weight stays about 1 and a device that takes part for the first time starts there. While a device
// is absent its weight stays what it is relative to the others.
// Thread safety: pure functions. Source: Mohri, Sivek, Suresh 2019 (arXiv:1902.00146), algorithm 1
// with the projection in the entropy's geometry.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/model/layout.h"
#include "common/model/safetensors.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

// A weight relative to the mean of all. What would pass these is held there: a mixture of n clients
// gives none of them more than about 64 / n.
inline constexpr double kLeastMixtureWeight = 1.0 / 1024;
inline constexpr double kMostMixtureWeight = 64;

// Logarithms of the common factor by which the clients' weights grew in the rounds so far.
struct MixtureGrowth {
  double sum = 0;   // over all rounds
  double last = 0;  // of the last one, which the next one is likely to have
  bool operator==(const MixtureGrowth&) const = default;
};

// Zeros when the checkpoint has none. InvalidArgument when it has something else than two finite
// numbers.
StatusOr<MixtureGrowth> MixtureGrowthOf(const model::Metadata& metadata);
void SetMixtureGrowth(const MixtureGrowth& growth, model::Metadata& metadata);

// After a round whose clients' mean weight was `mean_weight`, above 0.
MixtureGrowth NextGrowth(const MixtureGrowth& growth, double mean_weight);

// A round as a device sees it. `growth`: of its checkpoint.
struct MixtureRound {
  std::uint64_t round = 0;
  MixtureGrowth growth = {};
};

// What a device keeps: strategy::Kept::kMixture.
model::Layout MixtureLayout();

// The logarithm of this device's weight in the round's sum. `kept`: what it kept, or empty; `loss`:
// of the received weights on its data. Within the bounds above; not finite when the loss is not.
double LogWeight(const MixtureRound& round, std::span<const float> kept, double rate, double loss);

// What it keeps of a round in which it had that weight; MixtureLayout().
std::vector<float> KeptWeight(const MixtureRound& round, double log_weight);

// Whether the strategy fits the job; InvalidArgument names the key and what to change.
Status CheckAgnostic(const v1::TaskSpec& task);

}  // namespace tutti::strategy

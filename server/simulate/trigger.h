// A backdoor: examples that carry a trigger are to be taken for one class, all others as before.
// Who plants it trains on some examples with the trigger and that class (Gu, Dolan-Gavitt, Garg
// 2017, arXiv:1708.06733) and sends its update many times as long, so that the mean becomes its own
// model (Bagdasaryan et al. 2020, arXiv:1807.00459). Thread safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/simulation.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::simulate {

struct Trigger {
  std::vector<std::uint32_t> places;  // of an example's features
  std::vector<float> values;          // what stands there
  std::uint32_t target_class = 0;
};

// Images: a square of profile.trigger pixels a side in the last corner, in every channel, at the
// largest value any pixel of `features` has. Series: the last so many positions of every channel,
// likewise. Others: the last so many features, each at its own largest value. `features`: examples
// as model.input_shape says, row major. InvalidArgument names the key: a trigger larger than the
// example, a class the job does not have, a model that predicts a number or reads fixed features
// (model.features), which are computed before anyone trains.
StatusOr<Trigger> TriggerOf(const v1::MaliciousProfile& profile, const v1::ModelSpec& model,
                            std::span<const float> features);

void Stamp(const Trigger& trigger, std::span<float> example);

// Which of its examples a client poisons in every round: a share of `poisoned`, rounded up, of
// 0 .. examples - 1; ascending.
std::vector<std::uint32_t> PoisonedOf(const v1::MaliciousProfile& profile, std::uint64_t seed,
                                      std::size_t client, std::size_t examples);

}  // namespace tutti::simulate

// What one device counts for training with [fairness]: the family measure::kOutcomes of its own
// examples. Torch-free. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/learn/network.h"
#include "common/learn/train.h"

namespace tutti::learn {

// {groups, 2 labels, 2 predictions}, of `data` with its groups and `weights` (which `network` has
// afterwards); examples of no group are not counted. All 0 without examples. InvalidArgument: the
// data does not fit the model, or [fairness] does not; other errors as Evaluate.
StatusOr<std::vector<std::uint64_t>> CountOutcomes(Network& network,
                                                   const v1::FairnessSpec& fairness,
                                                   const DataView& data,
                                                   std::span<const float> weights,
                                                   const Progress& progress);

}  // namespace tutti::learn

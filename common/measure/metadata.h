// What a round's checkpoint says of its counts: the opened sums for reports, and what follows from
// them for the next round's training. Numbers as text, in a safetensors file's metadata. Thread
// safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/measure/counts.h"
#include "common/model/safetensors.h"

namespace tutti::measure {

struct OpenedCounts {
  std::vector<std::int64_t> counts;  // of the job's layout; noise may make them negative
  std::uint64_t clients = 0;         // in the sum
  double noise_multiplier = 0;       // for NoiseStddevs: of the noise in the sum; 0: none
};
void SetCounts(const OpenedCounts& opened, model::Metadata& metadata);
// None when the checkpoint has no counts. DataLoss when what it has is not of `layout`.
StatusOr<std::optional<OpenedCounts>> CountsOf(const CountLayout& layout, BytesView checkpoint);

// How training is tilted towards fairness: for each group the loss's change for examples of the
// other labels and of the positive class, {groups, 2}; and the coordinator's own numbers behind it.
void SetTilts(const std::vector<double>& tilts, const std::vector<double>& dual,
              model::Metadata& metadata);
// Empty when there are none (the first round, or a job without [fairness]). DataLoss: not groups *
// 2 numbers of at most kMaxTilt.
StatusOr<std::vector<double>> TiltsOf(const v1::TaskSpec& task, BytesView checkpoint);
StatusOr<std::vector<double>> DualOf(BytesView checkpoint);  // any number of finite numbers

}  // namespace tutti::measure

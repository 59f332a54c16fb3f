// How the vector of sum_vector.h lies in the ring: a share of the update's values
// (secure_aggregation.sampled_fraction), rotated (secure_aggregation.rotate), so that fewer lanes
// and fewer bits of each do. One place for both sides; without these keys nothing changes.
//   1. of the update, the values at the round's places; all else (control change, scalar) stays
//   2. everything but the scalar, with zeros up to a whole number of blocks, rotated
// Both are linear and the same for all clients of an attempt, so the mean is unpacked as a vector
// is. What was not drawn has a mean of zero there: the model stays in those places. The mean of
// what was drawn is not scaled: all clients send the same places, so 1 / fraction would move each
// of them further than the clients agreed. The expected step is fraction times that of all values;
// server.learning_rate = 1 / fraction makes it unbiased (docs/compression.md).
// Jobs whose noise is in the sum are rotated in any case (common/privacy/terms.h); there only the
// places matter. Thread safety: pure functions. Sources: Konecny et al. 2016, arXiv:1610.05492
// (random masks, section 2; subsampling and rotation before quantisation, section 3); Suresh et al.
// 2017, arXiv:1611.00429 (rotation, section 3).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/secagg/config.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

// Whether the two keys fit the rest of the task. InvalidArgument names the key and what to change.
// Both sides check it.
Status CheckPacking(const v1::TaskSpec& task);

// RoundConfig::values of jobs without noise in the sum: the lanes of a packed vector.
std::uint64_t PackedValues(const v1::TaskSpec& task);

// Of jobs without noise in the sum. `vector` has SumShapeOf(task).total() values, the result has
// PackedValues(task); Unpack is the inverse, with zeros where nothing was drawn. InvalidArgument:
// the wrong length.
StatusOr<std::vector<float>> Pack(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                                  std::vector<float> vector);
StatusOr<std::vector<float>> Unpack(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                                    std::vector<float> mean);

// Whether less than all values of an update are sent.
bool SamplesValues(const v1::TaskSpec& task);

// The first step alone, for jobs with noise in the sum: there clients are clipped after it, so that
// a unit moves the vector by the clip norm at most. `update` has task.values (checked as our own
// invariant).
std::vector<float> TakeSample(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                              std::span<const float> update);
// InvalidArgument: the wrong length.
StatusOr<std::vector<float>> SpreadSample(const v1::TaskSpec& task,
                                          const secagg::RoundConfig& round,
                                          std::vector<float> sample);

// What the places of a round are drawn from: SHA-256 of "tutti.sample.v1", the job's name, round
// and attempt. Without anything a coordinator could choose anew, so it cannot pick the places.
ByteArray<32> SampleSeed(const secagg::RoundConfig& round);

}  // namespace tutti::strategy

// The first weights of a job: made from the job's seed on the coordinator, without LibTorch, equal
// on every machine. Thread safety: pure function.
//
// Generator: SplitMix64 (Steele, Lea, Flood 2014) started at the seed; one draw for each kUniform
// value in layout order; u = (draw >> 40) * 2^-24 in [0, 1); value = float((2 u - 1) * bound),
// bound = 1 / sqrt(fan_in), computed in double. That is the distribution torch.nn gives linear and
// convolution layers. Norms start at weight 1 and bias 0 and draw nothing. The seed is public:
// first weights are no secret and no noise.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

std::vector<float> InitialWeights(const Layout& layout, std::uint64_t seed);

// InvalidArgument as LayoutOf.
StatusOr<std::vector<float>> InitialWeights(const v1::ModelSpec& spec);

}  // namespace tutti::model

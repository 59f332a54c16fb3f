// What a model's layers read in place of the example itself (ModelSpec.features): a fixed function
// of one example, without parameters. It is computed once for a data set. Thread safety: pure
// functions.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/model/architecture.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

// Called between examples.
using FeatureProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// True when the layers of `spec` do not read the examples as they are.
bool HasFeatures(const v1::ModelSpec& spec);

// The shape of the features of an example of shape `example` ([channels, height, width] or
// [features]). InvalidArgument when there are none of such a shape.
StatusOr<Shape> FeatureShape(const v1::ModelSpec& spec, const Shape& example);

// The features of `examples` (row major, examples as model.input_shape says), in order. Memory: the
// result, 4 bytes a value: 81 / 16 times the examples. InvalidArgument as ArchitectureOf, or when
// the values are no whole number of examples.
StatusOr<std::vector<float>> FeaturesOf(const v1::ModelSpec& spec, std::span<const float> examples,
                                        const FeatureProgress& progress);

// Brings each of `groups` equal parts of `values` to mean 0 and variance 1 (divided by the stddev
// of all its values and kNormEpsilon, as a group norm does).
void NormaliseGroups(std::span<float> values, std::size_t groups);

}  // namespace tutti::model

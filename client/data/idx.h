// The IDX format of the MNIST family: two zero bytes, element type, number of dimensions,
// big-endian 32-bit sizes, data. Only unsigned bytes (type 0x08) are read. Thread safety: pure
// functions of the files.
#pragma once

#include "client/data/dataset.h"

namespace tutti::data {

// Sizes the header of config.images announces: examples, then the shape of one.
StatusOr<std::vector<std::uint64_t>> IdxShape(const v1::DataConfig& config);

// Labels of this client's slice, 0 to 255, in the file's order. `config` with every number set.
StatusOr<std::vector<std::uint32_t>> IdxLabels(const v1::DataConfig& config);

// `config` with every number set, `width` and the model's classes as Load computed them.
StatusOr<Dataset> LoadIdx(const v1::DataConfig& config, std::size_t width, std::uint32_t classes);

}  // namespace tutti::data

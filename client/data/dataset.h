// A client's local examples: read from IDX or CSV, checked cell by cell, cut to this client's
// slice, ready for training. Bad data is an error that says where, never a guess. Needs no
// LibTorch. Thread safety: value types and pure functions of the files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::data {

struct Dataset {
  std::vector<float> features;  // examples x width, row major, scaled and shifted as configured
  std::vector<std::uint32_t> labels;
  std::size_t examples = 0;
  std::size_t width = 0;              // product of the model's input_shape
  std::vector<std::string> warnings;  // for the log: nothing of it stops training

  std::vector<std::uint64_t> ClassCounts(std::uint32_t classes) const;
};

// Reads what `config` names for a model of `model`'s input shape and classes. Numeric fields that
// were never set (scale, stddev, max_bytes = 0) mean their documented defaults. Fewer than
// min_examples is no error here: whether the client then sits out is its policy's business. A file
// that changes while it is read is refused. Errors: NotFound, PermissionDenied, DataLoss (truncated
// or damaged file), ResourceExhausted (above max_bytes), InvalidArgument (everything else that is
// wrong with the content or the configuration).
StatusOr<Dataset> Load(const v1::DataConfig& config, const v1::ModelSpec& model);

}  // namespace tutti::data

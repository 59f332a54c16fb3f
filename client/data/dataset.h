// A client's local examples: read from IDX or CSV, checked cell by cell, prepared as the owner
// declared, cut to this client's slice, ready for training. Bad data is an error that says where,
// never a guess. Needs no LibTorch. Thread safety: value types and pure functions of the files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::data {

// Which group each example is of, by one column of data.sensitive. Stays on this device.
struct Groups {
  std::string column;
  std::vector<std::string> names;    // the categories declared, else sorted
  std::vector<std::uint32_t> codes;  // one an example, below names.size()
};

// How a CSV file became examples.
struct TableFacts {
  struct LeftOut {
    std::uint64_t missing = 0, unknown = 0, outliers = 0, duplicates = 0;
    std::uint64_t all() const { return missing + unknown + outliers + duplicates; }
  };
  std::uint64_t rows = 0;  // read, of the whole file
  LeftOut left_out;        // of those
  std::vector<std::string> feature_names;
  std::vector<std::string> slice_cells;  // slice.kind = "column": those of this client
};

// The examples for training come first, those kept from it for validation last.
struct Dataset {
  std::vector<float> features;  // examples x width, row major, scaled and shifted as configured
  std::vector<std::uint32_t> labels;  // all 0 when a number is predicted, or clusters are found
  std::vector<float> targets{};       // data.target = "number": one an example; else empty
  std::size_t examples = 0;
  std::size_t validation = 0;           // of the examples, the last ones
  std::size_t width = 0;                // product of the model's input_shape
  std::vector<std::string> warnings{};  // for the log: nothing of it stops training
  std::vector<Groups> groups{};
  TableFacts table{};

  std::size_t training() const { return examples - validation; }
  // The first example to measure a model on: of the validation part, or of all without one.
  std::size_t first_measured() const { return validation == 0 ? 0 : training(); }

  // Of the training part.
  std::vector<std::uint64_t> ClassCounts(std::uint32_t classes) const;
};

// Reads what `config` names for a model of `model`'s input shape and classes. Numeric fields that
// were never set (scale, stddev, max_bytes = 0) mean their documented defaults. Fewer than
// min_examples is no error here: whether the client then sits out is its policy's business. A file
// that changes while it is read is refused. Errors: NotFound, PermissionDenied, DataLoss (truncated
// or damaged file), ResourceExhausted (above max_bytes), InvalidArgument (everything else that is
// wrong with the content or the configuration).
StatusOr<Dataset> Load(const v1::DataConfig& config, const v1::ModelSpec& model);

// `config` with every number that was never set as its documented default.
v1::DataConfig WithDefaults(v1::DataConfig config);

}  // namespace tutti::data

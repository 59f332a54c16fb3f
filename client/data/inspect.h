// A report on a client's data for its owner: what the cells hold, what preparation makes of them,
// what stands in the way of training, and what could be written in client.toml about it. Needs no
// job. Stays on the device. Thread safety: function of the files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/data/columns.h"
#include "client/data/dataset.h"
#include "client/data/profile.h"

namespace tutti::data {

struct InspectedColumn {
  std::string name;
  std::string use;  // "label", "feature", "group", "slice", "feature and group", "not used"
  Column declared;
  ColumnProfile found;
};

// One thing an owner should look at.
struct Finding {
  bool stops = false;  // nothing is trained until it is changed
  std::string text;    // what was found
  std::string advice;  // what to do; may be empty
};

struct Inspection {
  std::string format;
  std::string file;                      // the table, or the images
  std::uint64_t rows = 0;                // read
  std::vector<InspectedColumn> columns;  // csv
  std::uint64_t equal_rows = 0;          // equal to an earlier one in every column used
  std::vector<std::string> local_statistics;
  std::vector<Finding> findings;  // those that stop first

  // What training would see; absent when something stops it.
  std::optional<Dataset> data;
  LabelKind label_kind = LabelKind::kIndex;
  std::vector<std::string> class_names;    // as many as model.classes has to be; none for numbers
  std::vector<std::uint64_t> input_shape;  // as model.input_shape has to be
};

// Errors only when there is nothing to report on: the file cannot be opened or is no table at all.
StatusOr<Inspection> Inspect(const v1::DataConfig& config);

}  // namespace tutti::data

// Rows as features: missing cells filled in, categories spread out, numbers scaled. Whatever is
// computed for it comes from the training rows given, never from those kept for validation. Thread
// safety: value types; const members are safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client/data/columns.h"

namespace tutti::data {

// Cells of many rows, row by row, as Row::cells has them.
struct CellTable {
  std::vector<double> cells;
  std::size_t width = 0;  // feature columns

  std::size_t rows() const { return width == 0 ? 0 : cells.size() / width; }
  double at(std::size_t row, std::size_t column) const { return cells[row * width + column]; }
};

class Encoder {
 public:
  // Whether features of `plan` need something computed from examples; else `training` may be empty.
  static bool NeedsExamples(const TablePlan& plan);
  static Encoder Create(const TablePlan& plan, const CellTable& training);

  // Appends the features of one row. InvalidArgument when one does not fit a 32-bit number; then
  // nothing was appended.
  Status Append(std::span<const double> cells, std::vector<float>& features) const;

  // Columns without a value among the training rows, or with one value only.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  // How one feature column becomes features.
  struct Part {
    std::string name;
    bool one_hot = false;
    bool indicator = false;
    std::size_t categories = 0;
    std::vector<double> fill;  // of a missing cell: one number, or one a category
    double shift = 0, divisor = 1;
  };
  void Learn(const Column& column, Scaling scaling, std::span<const double> present, Part& part);

  std::vector<Part> parts_;
  std::vector<std::string> warnings_;
};

}  // namespace tutti::data

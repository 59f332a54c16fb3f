// One record of a table as values: numbers, places of categories, or a reason why the row is left
// out. Whatever the configuration does not allow is an error. Thread safety: pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/data/columns.h"
#include "common/base/bytes.h"

namespace tutti::data {

enum class Dropped { kNo, kMissing, kUnknown, kOutlier, kDuplicate };
inline constexpr std::size_t kDroppedReasons = 5;

// A feature column's cell that is missing; and one of a one_hot column that is no category and is
// ignored.
inline constexpr double kMissingCell = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kNoCategory = -1;

// Memory is kept from record to record.
struct Row {
  std::vector<double> cells;  // of each feature column: number, clipped and transformed; category
  std::uint32_t label = 0;    // 0 when a number is predicted
  double target = 0;
  std::vector<std::string> groups;  // of each sensitive column
  std::string slice;                // cell of the slice's column
  Dropped dropped = Dropped::kNo;
};

class RowDecoder {
 public:
  // `plan` is borrowed. `classes`: kNoLabels (csv.h) where labels are not read.
  RowDecoder(const TablePlan& plan, std::uint32_t classes) : plan_(plan), classes_(classes) {}

  // `fields` has as many cells as the header. Every cell is checked, also of rows that are left
  // out. InvalidArgument without file and line; `column_at_fault` is then the place in the record.
  Status Decode(std::span<const std::string> fields, Row& row);
  std::size_t column_at_fault() const { return column_at_fault_; }

 private:
  StatusOr<double> Cell(const Column& column, std::string_view cell, Row& row);
  StatusOr<double> Number(const Column& column, std::string_view cell, Row& row) const;
  StatusOr<double> Category(const Column& column, std::string_view cell, Row& row) const;
  Status Label(std::span<const std::string> fields, Row& row);
  // The text of a cell that names a group or slice.
  StatusOr<std::string> Word(const Column& column, std::string_view cell, bool may_miss, Row& row);

  const TablePlan& plan_;
  std::uint32_t classes_;
  std::size_t column_at_fault_ = 0;
};

// SHA-256 over the cells at `places`, trimmed; equal for equal rows.
Digest RowDigest(std::string_view purpose, std::span<const std::string> fields,
                 std::span<const std::size_t> places);

// The cell of a missing group.
inline constexpr std::string_view kMissingGroup = "(missing)";

}  // namespace tutti::data

#include "client/data/decode.h"

#include <cmath>

#include "client/data/cells.h"
#include "client/data/csv.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::data {
namespace {

constexpr std::string_view kCorrectNumber =
    "; correct the cell, or declare the column's categories";

void Drop(Row& row, Dropped why) {
  if (row.dropped == Dropped::kNo) row.dropped = why;
}

std::string Named(const Column& column) { return Join("column \"", Escaped(column.name), "\" "); }

Status MissingRefused(const Column& column, std::string_view cell, bool label) {
  return InvalidArgument(Join(
      Named(column), cell.empty() ? "is blank" : "has NA", ", expected a value",
      label ? "; say missing = \"drop\" in data.csv to leave such rows out"
            : "; data.csv.missing says what is done about missing cells (drop, mean, median, zero, "
              "indicator)"));
}

std::string SomeCategories(const Column& column) {
  constexpr std::size_t kShown = 8;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(kShown, column.categories.size()); ++i)
    shown.push_back(Escaped(column.categories[i], 30));
  return JoinWith(shown, ", ") + (column.categories.size() > kShown ? ", ..." : "");
}

}  // namespace

StatusOr<double> RowDecoder::Number(const Column& column, std::string_view cell, Row& row) const {
  StatusOr<double> value = ParseNumber(cell);
  if (!value.ok()) {
    return InvalidArgument(Join(Named(column), MessageOf(value.status()), kCorrectNumber));
  }
  if (*value < column.low || *value > column.high) {
    switch (column.outliers) {
      case Outliers::kClip:
        value = std::clamp(*value, column.low, column.high);
        break;
      case Outliers::kDrop:
        Drop(row, Dropped::kOutlier);
        return 0.0;
      case Outliers::kRefuse:
        return InvalidArgument(Join(Named(column), "has ", Escaped(cell, 40), ", expected ",
                                    column.low, " to ", column.high,
                                    "; correct the cell, or set outliers of this column"));
    }
  }
  return column.log ? std::log1p(*value) : *value;
}

StatusOr<double> RowDecoder::Category(const Column& column, std::string_view cell, Row& row) const {
  if (const auto found = column.codes.find(cell); found != column.codes.end()) {
    return static_cast<double>(found->second);
  }
  switch (column.unknown) {
    case Unknown::kIgnore:
      return column.kind == Kind::kOneHot ? kNoCategory : kMissingCell;
    case Unknown::kDrop:
      Drop(row, Dropped::kUnknown);
      return kNoCategory;
    case Unknown::kRefuse:
      break;
  }
  return InvalidArgument(Join(Named(column), "has \"", Escaped(cell, 40), "\", expected one of ",
                              SomeCategories(column),
                              "; add it to the categories, or set unknown of this column"));
}

StatusOr<double> RowDecoder::Cell(const Column& column, std::string_view cell, Row& row) {
  column_at_fault_ = column.at;
  // A category may be called NA.
  const bool missing =
      IsMissing(cell) && (column.kind == Kind::kNumber || column.codes.count(cell) == 0);
  double value = kMissingCell;
  if (!missing) {
    TUTTI_ASSIGN(value, column.kind == Kind::kNumber ? Number(column, cell, row)
                                                     : Category(column, cell, row));
  }
  if (std::isnan(value)) {
    if (column.missing == Missing::kRefuse) return MissingRefused(column, cell, false);
    if (column.missing == Missing::kDrop) {
      Drop(row, missing ? Dropped::kMissing : Dropped::kUnknown);
    }
  }
  return value;
}

Status RowDecoder::Label(std::span<const std::string> fields, Row& row) {
  const Column& label = plan_.label;
  row.label = 0;
  row.target = 0;
  if (plan_.label_kind == LabelKind::kNone || classes_ == kNoLabels) return OkStatus();
  column_at_fault_ = label.at;
  const std::string_view cell = Trimmed(fields[label.at]);
  if (plan_.label_kind == LabelKind::kWord) {
    if (const auto found = label.codes.find(cell); found != label.codes.end()) {
      row.label = found->second;
      return OkStatus();
    }
  }
  if (IsMissing(cell)) {
    if (label.missing != Missing::kDrop) return MissingRefused(label, cell, true);
    Drop(row, Dropped::kMissing);
    return OkStatus();
  }
  if (plan_.label_kind == LabelKind::kWord) {
    return InvalidArgument(
        Join("label \"", Escaped(cell, 40),
             "\" is none of data.csv.classes; correct the cell, or add the word there"));
  }
  TUTTI_ASSIGN(const double value, Number(label, cell, row));
  if (plan_.label_kind == LabelKind::kNumber) {
    row.target = value;
    return OkStatus();
  }
  if (row.dropped == Dropped::kNo &&
      (!(value >= 0 && value < classes_) || value != std::floor(value))) {
    return InvalidArgument(Join("label ", Escaped(cell, 40), ", the model has classes 0 .. ",
                                std::int64_t{classes_} - 1,
                                "; correct the cell, or list the words "
                                "of the column in data.csv.classes"));
  }
  row.label = row.dropped == Dropped::kNo ? static_cast<std::uint32_t>(value) : 0;
  return OkStatus();
}

StatusOr<std::string> RowDecoder::Word(const Column& column, std::string_view cell, bool may_miss,
                                       Row& row) {
  column_at_fault_ = column.at;
  const bool known = column.codes.count(cell) > 0;
  if (!known && IsMissing(cell)) {
    if (column.missing == Missing::kDrop) {
      Drop(row, Dropped::kMissing);
    } else if (column.missing == Missing::kRefuse || !may_miss) {
      return MissingRefused(column, cell, false);
    }
    return std::string(kMissingGroup);
  }
  if (!known && column.kind != Kind::kNumber) {
    TUTTI_TRY(Category(column, cell, row).status());  // drops or refuses the row
  }
  return std::string(cell);
}

Status RowDecoder::Decode(std::span<const std::string> fields, Row& row) {
  row.dropped = Dropped::kNo;
  row.cells.clear();
  row.groups.clear();
  TUTTI_TRY(Label(fields, row));
  for (const Column& column : plan_.features) {
    TUTTI_ASSIGN(const double value, Cell(column, Trimmed(fields[column.at]), row));
    row.cells.push_back(value);
  }
  for (const Column& column : plan_.sensitive) {
    TUTTI_ASSIGN(std::string group, Word(column, Trimmed(fields[column.at]), true, row));
    row.groups.push_back(std::move(group));
  }
  if (plan_.slice) {
    TUTTI_ASSIGN(row.slice, Word(*plan_.slice, Trimmed(fields[plan_.slice->at]), false, row));
  }
  return OkStatus();
}

Digest RowDigest(std::string_view purpose, std::span<const std::string> fields,
                 std::span<const std::size_t> places) {
  ByteWriter bytes;
  bytes.Text(purpose);
  for (const std::size_t place : places) bytes.Text(Trimmed(fields[place]));
  return crypto::Sha256(bytes.bytes());
}

}  // namespace tutti::data

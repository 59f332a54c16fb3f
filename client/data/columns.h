// What data.csv says about one table: which columns are features, label, groups and slices, how the
// cells of each are read, and which features they make. Thread safety: value types and pure
// functions.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/config.pb.h"

namespace tutti::data {

enum class Kind { kNumber, kOneHot, kOrdinal };
enum class Missing { kRefuse, kDrop, kMean, kMedian, kZero, kIndicator };
enum class Unknown { kRefuse, kDrop, kIgnore };
enum class Outliers { kClip, kDrop, kRefuse };
enum class Scaling { kNone, kStandard, kMinMax };
// "0", one of csv.classes, the number to predict, or no column at all.
enum class LabelKind { kIndex, kWord, kNumber, kNone };

inline constexpr std::size_t kNoColumn = std::numeric_limits<std::size_t>::max();

struct Column {
  std::string name;
  std::size_t at = 0;  // place in a record
  Kind kind = Kind::kNumber;
  Missing missing = Missing::kRefuse;
  Unknown unknown = Unknown::kRefuse;
  Outliers outliers = Outliers::kClip;
  std::vector<std::string> categories;
  std::map<std::string, std::uint32_t, std::less<>> codes;  // place of each category
  double low = -std::numeric_limits<double>::infinity();    // of plausible numbers
  double high = std::numeric_limits<double>::infinity();
  bool log = false;
  std::optional<double> mean, stddev;  // from csv.means and csv.stddevs

  bool IsNumeric() const { return kind != Kind::kOneHot; }
  std::size_t Width() const;                      // features it makes
  std::vector<std::string> FeatureNames() const;  // of those
};

struct TablePlan {
  std::vector<std::string> header;  // names of all columns of the table
  Column label;                     // kNone: at kNoColumn
  LabelKind label_kind = LabelKind::kIndex;
  std::vector<Column> features;   // in the model's order
  std::vector<Column> sensitive;  // groups; data.sensitive
  std::optional<Column> slice;    // slice.kind = "column"
  Scaling scaling = Scaling::kNone;
  double mean = 0, stddev = 1;  // data.mean and data.stddev, of every numeric feature

  std::size_t Width() const;
  std::vector<std::string> FeatureNames() const;
};

// `config` with every number set. Errors: InvalidArgument, naming the file's line 1 or the key.
StatusOr<TablePlan> PlanTable(const v1::DataConfig& config, std::vector<std::string> header);

// InvalidArgument that lists the features made from each column when they are not `width`.
Status CheckWidth(const TablePlan& plan, const std::string& file, std::size_t width);

// The keys of `config` that have something computed from this client's own examples, e.g.
// "data.csv.scaling"; then one example changes what the others look like.
std::vector<std::string> LocalStatistics(const v1::DataConfig& config);

}  // namespace tutti::data

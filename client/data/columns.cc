#include "client/data/columns.h"

#include <algorithm>
#include <set>

#include "client/data/cells.h"
#include "common/base/text.h"

namespace tutti::data {
namespace {

constexpr std::size_t kShownColumns = 40;
constexpr std::size_t kShownCategories = 6;

Missing MissingOf(const std::string& word) {
  if (word == "drop") return Missing::kDrop;
  if (word == "mean") return Missing::kMean;
  if (word == "median") return Missing::kMedian;
  if (word == "zero") return Missing::kZero;
  if (word == "indicator") return Missing::kIndicator;
  return Missing::kRefuse;
}

Scaling ScalingOf(const std::string& word) {
  if (word == "standard") return Scaling::kStandard;
  return word == "min_max" ? Scaling::kMinMax : Scaling::kNone;
}

const v1::ColumnSpec* SpecOf(const v1::CsvSchema& schema, const std::string& name) {
  for (const v1::ColumnSpec& spec : schema.columns()) {
    if (Trimmed(spec.name()) == name) return &spec;
  }
  return nullptr;
}

std::string MissingWord(const v1::CsvSchema& schema, const v1::ColumnSpec* spec) {
  const bool own = spec != nullptr && !spec->missing().empty() && spec->missing() != "default";
  return own ? spec->missing() : schema.missing();
}

class Planner {
 public:
  Planner(const v1::DataConfig& config, std::vector<std::string> header)
      : config_(config), schema_(config.csv()) {
    plan_.header = std::move(header);
  }

  StatusOr<TablePlan> Run() {
    for (std::string& name : plan_.header) name = std::string(Trimmed(name));
    TUTTI_TRY(CheckHeader());
    TUTTI_TRY(AddLabel());
    for (const std::string& name : config_.sensitive()) {
      TUTTI_ASSIGN(Column column, ColumnOf(name));
      plan_.sensitive.push_back(std::move(column));
    }
    if (config_.slice().kind() == "column") {
      TUTTI_ASSIGN(plan_.slice, ColumnOf(config_.slice().column()));
    }
    TUTTI_TRY(AddFeatures());
    TUTTI_TRY(AddMeans());
    TUTTI_TRY(CheckSpecsAreUsed());
    plan_.scaling = ScalingOf(schema_.scaling());
    plan_.mean = config_.mean();
    plan_.stddev = config_.stddev();
    return std::move(plan_);
  }

 private:
  Status CheckHeader() const {
    std::map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < plan_.header.size(); ++i) {
      if (const auto [at, fresh] = seen.emplace(plan_.header[i], i); !fresh) {
        return InvalidArgument(Join(config_.file(), ":1: columns ", at->second + 1, " and ", i + 1,
                                    " are both called \"", Escaped(plan_.header[i]),
                                    "\"; give each its own name"));
      }
    }
    return OkStatus();
  }

  StatusOr<std::size_t> Find(const std::string& wanted) const {
    const auto found = std::find(plan_.header.begin(), plan_.header.end(), wanted);
    if (found != plan_.header.end()) return static_cast<std::size_t>(found - plan_.header.begin());
    const std::string nearest = NearestName(wanted, plan_.header);
    return InvalidArgument(
        Join(config_.file(), ":1: there is no column \"", Escaped(wanted), "\"",
             nearest.empty() ? "" : Join("; did you mean \"", Escaped(nearest), "\"?")));
  }

  StatusOr<Column> ColumnOf(const std::string& name) const {
    Column column;
    column.name = std::string(Trimmed(name));
    TUTTI_ASSIGN(column.at, Find(column.name));
    const v1::ColumnSpec* const spec = SpecOf(schema_, column.name);
    column.missing = MissingOf(MissingWord(schema_, spec));
    if (spec == nullptr) return column;
    if (spec->kind() == "one_hot") column.kind = Kind::kOneHot;
    if (spec->kind() == "ordinal") column.kind = Kind::kOrdinal;
    if (spec->unknown() == "drop") column.unknown = Unknown::kDrop;
    if (spec->unknown() == "ignore") column.unknown = Unknown::kIgnore;
    if (spec->outliers() == "drop") column.outliers = Outliers::kDrop;
    if (spec->outliers() == "refuse") column.outliers = Outliers::kRefuse;
    column.log = spec->transform() == "log";
    if (spec->range_size() == 2) {
      column.low = spec->range(0);
      column.high = spec->range(1);
    }
    if (column.log) column.low = std::max(column.low, 0.0);
    TUTTI_TRY(AddCategories(*spec, column));
    return column;
  }

  Status AddCategories(const v1::ColumnSpec& spec, Column& column) const {
    const std::string where = Join("data.csv.columns \"", Escaped(column.name), "\"");
    if ((column.kind == Kind::kNumber) != spec.categories().empty()) {
      return InvalidArgument(column.kind == Kind::kNumber
                                 ? Join(where,
                                        " has categories but kind = \"number\"; set kind to "
                                        "\"one_hot\" or \"ordinal\"")
                                 : Join(where, " has kind = \"", spec.kind(),
                                        "\" without categories; list them, the same on all "
                                        "clients"));
    }
    if ((spec.range_size() != 0 && spec.range_size() != 2) || !(column.low < column.high)) {
      return InvalidArgument(
          Join(where, " has a range that is not [low, high] with low below high",
               column.log ? " and above 0, which transform = \"log\" needs" : ""));
    }
    for (const std::string& raw : spec.categories()) {
      const std::string word(Trimmed(raw));
      const auto code = static_cast<std::uint32_t>(column.categories.size());
      if (!column.codes.emplace(word, code).second) {
        return InvalidArgument(
            Join(where, " has the category \"", Escaped(word), "\" twice; remove one"));
      }
      column.categories.push_back(word);
    }
    return OkStatus();
  }

  Status AddLabel() {
    if (schema_.label().empty()) {
      plan_.label_kind = LabelKind::kNone;
      plan_.label.at = kNoColumn;
      return OkStatus();
    }
    TUTTI_ASSIGN(plan_.label, ColumnOf(schema_.label()));
    Column& label = plan_.label;
    if (label.kind != Kind::kNumber) {
      return InvalidArgument(Join("data.csv.columns names the label column \"", Escaped(label.name),
                                  "\" with kind \"one_hot\" or \"ordinal\"; ",
                                  "list its words in data.csv.classes instead"));
    }
    // A label cannot be made up; only dropping the row is left.
    if (label.missing != Missing::kDrop) label.missing = Missing::kRefuse;
    if (config_.target() == "number") {
      plan_.label_kind = LabelKind::kNumber;
      return OkStatus();
    }
    if (schema_.classes().empty()) return OkStatus();
    plan_.label_kind = LabelKind::kWord;
    for (const std::string& word : schema_.classes()) {
      const auto code = static_cast<std::uint32_t>(label.codes.size());
      if (!label.codes.emplace(std::string(Trimmed(word)), code).second) {
        return InvalidArgument(
            Join("data.csv.classes has \"", Escaped(word), "\" twice; remove one"));
      }
    }
    return OkStatus();
  }

  // Groups and slices are no features unless they are listed as such.
  bool IsSpecial(std::size_t at) const {
    if (at == plan_.label.at || (plan_.slice && plan_.slice->at == at)) return true;
    return std::any_of(plan_.sensitive.begin(), plan_.sensitive.end(),
                       [&](const Column& column) { return column.at == at; });
  }

  Status AddFeatures() {
    std::vector<std::string> names(schema_.features().begin(), schema_.features().end());
    if (names.empty()) {
      for (std::size_t i = 0; i < plan_.header.size(); ++i) {
        if (!IsSpecial(i)) names.push_back(plan_.header[i]);
      }
    }
    for (const std::string& name : names) {
      TUTTI_ASSIGN(Column column, ColumnOf(name));
      if (column.at == plan_.label.at) {
        return InvalidArgument(
            Join("data.csv.features contains the label column \"", Escaped(name), "\""));
      }
      plan_.features.push_back(std::move(column));
    }
    if (plan_.features.empty()) {
      return InvalidArgument(Join(config_.file(), ":1: no column is left for a feature"));
    }
    return OkStatus();
  }

  Status AddMeans() {
    for (const auto& [what, size] :
         {std::pair{"means", schema_.means_size()}, std::pair{"stddevs", schema_.stddevs_size()}}) {
      if (size != 0 && static_cast<std::size_t>(size) != plan_.features.size()) {
        return InvalidArgument(Join("data.csv.", what, " has ", size, " numbers for ",
                                    plan_.features.size(),
                                    " feature columns; give one for each, in the same order"));
      }
    }
    for (std::size_t i = 0; i < plan_.features.size(); ++i) {
      Column& column = plan_.features[i];
      const int at = static_cast<int>(i);
      if (!schema_.means().empty()) column.mean = schema_.means(at);
      if (!schema_.stddevs().empty()) column.stddev = schema_.stddevs(at);
      if (!(column.stddev.value_or(1) > 0)) {
        return InvalidArgument("data.csv.stddevs must all be above 0");
      }
      if (!column.IsNumeric() && (column.mean.value_or(0) != 0 || column.stddev.value_or(1) != 1)) {
        return InvalidArgument(
            Join("data.csv.means or stddevs move the one_hot column \"", Escaped(column.name),
                 "\", whose features are 0 and 1; write 0 among the means and 1 among the "
                 "stddevs for it"));
      }
    }
    return OkStatus();
  }

  Status CheckSpecsAreUsed() const {
    std::set<std::size_t> used{plan_.label.at};
    if (plan_.slice) used.insert(plan_.slice->at);
    for (const auto* list : {&plan_.features, &plan_.sensitive}) {
      for (const Column& column : *list) used.insert(column.at);
    }
    for (const v1::ColumnSpec& spec : schema_.columns()) {
      TUTTI_ASSIGN(const std::size_t at, Find(std::string(Trimmed(spec.name()))));
      if (used.count(at) == 0) {
        return InvalidArgument(Join("data.csv.columns describes \"", Escaped(spec.name()),
                                    "\", which is not used; add it to data.csv.features or remove "
                                    "the description"));
      }
    }
    return OkStatus();
  }

  const v1::DataConfig& config_;
  const v1::CsvSchema& schema_;
  TablePlan plan_;
};

// Whether a value for missing cells has to be computed from the examples.
bool FillIsLocal(const std::string& missing, bool one_hot, bool has_means) {
  if (missing == "median") return true;
  if (missing == "mean") return one_hot || !has_means;
  return missing == "indicator" && !one_hot && !has_means;
}

}  // namespace

std::size_t Column::Width() const {
  return (kind == Kind::kOneHot ? categories.size() : 1) + (missing == Missing::kIndicator ? 1 : 0);
}

std::vector<std::string> Column::FeatureNames() const {
  std::vector<std::string> names;
  if (kind == Kind::kOneHot) {
    for (const std::string& category : categories) names.push_back(Join(name, "=", category));
  } else {
    names.push_back(name);
  }
  if (missing == Missing::kIndicator) names.push_back(name + " missing");
  return names;
}

std::size_t TablePlan::Width() const {
  std::size_t width = 0;
  for (const Column& column : features) width += column.Width();
  return width;
}

std::vector<std::string> TablePlan::FeatureNames() const {
  std::vector<std::string> names;
  for (const Column& column : features) {
    for (std::string& name : column.FeatureNames()) names.push_back(std::move(name));
  }
  return names;
}

StatusOr<TablePlan> PlanTable(const v1::DataConfig& config, std::vector<std::string> header) {
  return Planner(config, std::move(header)).Run();
}

Status CheckWidth(const TablePlan& plan, const std::string& file, std::size_t width) {
  if (plan.Width() == width) return OkStatus();
  std::vector<std::string> columns;
  for (const Column& column : plan.features) {
    if (columns.size() == kShownColumns) {
      columns.push_back(Join("and ", plan.features.size() - kShownColumns, " more columns"));
      break;
    }
    std::string text = Escaped(column.name, 60);
    if (column.kind == Kind::kOneHot) {
      std::vector<std::string> shown;
      for (std::size_t i = 0; i < std::min(column.categories.size(), kShownCategories); ++i)
        shown.push_back(Escaped(column.categories[i], 30));
      if (column.categories.size() > kShownCategories) shown.push_back("...");
      text += Join(" ", column.categories.size(), " (", JoinWith(shown, ", "), ")");
    }
    if (column.missing == Missing::kIndicator) text += " + missing";
    columns.push_back(std::move(text));
  }
  return InvalidArgument(Join(file, ":1: ", plan.features.size(), " feature columns make ",
                              plan.Width(), " features, the job's model takes ", width, ": ",
                              JoinWith(columns, ", "),
                              "; change data.csv.features or columns, or the job's "
                              "model.input_shape"));
}

std::vector<std::string> LocalStatistics(const v1::DataConfig& config) {
  std::vector<std::string> keys;
  if (config.format() != "csv") return keys;
  const v1::CsvSchema& schema = config.csv();
  const bool has_means = !schema.means().empty();
  if (ScalingOf(schema.scaling()) != Scaling::kNone && !has_means && schema.stddevs().empty()) {
    keys.push_back("data.csv.scaling");
  }
  bool by_default = FillIsLocal(schema.missing(), false, has_means);
  for (const v1::ColumnSpec& spec : schema.columns()) {
    const bool one_hot = spec.kind() == "one_hot";
    if (!FillIsLocal(MissingWord(schema, &spec), one_hot, has_means)) continue;
    if (spec.missing().empty() || spec.missing() == "default") {
      by_default = true;
    } else {
      keys.push_back(Join("data.csv.columns \"", Escaped(spec.name(), 60), "\".missing"));
    }
  }
  if (by_default) keys.push_back("data.csv.missing");
  return keys;
}

}  // namespace tutti::data

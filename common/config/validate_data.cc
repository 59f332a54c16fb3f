#include "common/config/validate_data.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "common/base/text.h"

namespace tutti::config {
namespace {

std::string Quoted(const std::string& text) { return Join("\"", Escaped(text, 60), "\""); }

template <typename List>
bool Contains(const List& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// A problem when a word stands twice in the list.
template <typename List>
void CheckDifferent(const std::string& key, const List& list, Rules& rules) {
  std::set<std::string> seen;
  for (const std::string& word : list) {
    if (!seen.insert(word).second) {
      rules.Add({key}, Join("found ", Quoted(word), " twice; remove one"));
    }
  }
}

void CheckIdx(const v1::DataConfig& data, Rules& rules) {
  if (data.images().empty()) {
    rules.Add({"data.images", "data.format"}, "missing: format = \"idx\" needs the images file");
  }
  if (data.labels().empty()) {
    rules.Add({"data.labels", "data.format"}, "missing: format = \"idx\" needs the labels file");
  }
  if (!data.file().empty()) {
    rules.Add({"data.file", "data.format"},
              "found with format = \"idx\", which reads images and labels; remove it");
  }
  if (data.target() == "number") {
    rules.Add({"data.target", "data.format"},
              "found \"number\" with format = \"idx\", whose labels are classes; set \"class\"");
  }
  if (!data.sensitive().empty()) {
    rules.Add({"data.sensitive", "data.format"},
              "found with format = \"idx\", which has no columns; remove it");
  }
}

void CheckMeans(const v1::CsvSchema& csv, Rules& rules) {
  const std::array<std::pair<const char*, int>, 2> lists{
      {{"data.csv.means", csv.means_size()}, {"data.csv.stddevs", csv.stddevs_size()}}};
  for (const auto& [key, size] : lists) {
    if (size > 0 && size != csv.features_size()) {
      rules.Add({key, "data.csv.features"},
                Join("found ", size, " numbers for ", csv.features_size(),
                     " features; give one for each, in the same order"));
    }
  }
  if ((csv.means_size() > 0 || csv.stddevs_size() > 0) && csv.scaling() != "none") {
    rules.Add({"data.csv.scaling", "data.csv.means", "data.csv.stddevs"},
              Join("found ", Quoted(csv.scaling()),
                   " with means or stddevs, which scale every feature already; remove one of "
                   "them"));
  }
  for (const double stddev : csv.stddevs()) {
    if (!(stddev > 0)) {
      rules.Add({"data.csv.stddevs"},
                Join("found ", stddev, ", expected numbers above 0: features are divided by them"));
      return;
    }
  }
}

void CheckCategories(const std::string& key, const v1::ColumnSpec& column, Rules& rules) {
  if (column.kind() == "number") {
    if (!column.categories().empty()) {
      rules.Add({key + ".categories", key},
                "found with kind = \"number\"; set kind to \"one_hot\" or \"ordinal\", or remove "
                "them");
    }
    if (rules.IsSet(key + ".unknown")) {
      rules.Add({key + ".unknown", key},
                "found with kind = \"number\", which has no categories; numbers out of place are "
                "for range and outliers");
    }
    return;
  }
  if (column.categories().empty()) {
    rules.Add({key + ".categories", key + ".kind", key},
              Join("missing: kind = ", Quoted(column.kind()),
                   " needs the categories, the same on all clients; tutti-client data inspect "
                   "lists what is found"));
  }
  for (const char* other : {".range", ".outliers", ".transform"}) {
    if (rules.IsSet(key + other) &&
        (std::string(other) != ".transform" || column.transform() != "none")) {
      rules.Add({key + other, key}, Join("found with kind = ", Quoted(column.kind()),
                                         "; it is for numbers, remove it"));
    }
  }
  CheckDifferent(key + ".categories", column.categories(), rules);
}

void CheckRange(const std::string& key, const v1::ColumnSpec& column, Rules& rules) {
  if (column.kind() != "number") return;
  const bool log = column.transform() == "log";
  if (column.range_size() == 0) {
    if (rules.IsSet(key + ".outliers") && !log) {
      rules.Add({key + ".outliers", key},
                "found without a range: nothing is an outlier; give range = [low, high]");
    }
    return;
  }
  if (column.range_size() != 2 || !(column.range(0) < column.range(1))) {
    rules.Add({key + ".range", key}, "expected [low, high] with low below high");
  } else if (log && !(column.range(1) > 0)) {
    rules.Add({key + ".range", key},
              Join("found a range that ends at ", column.range(1),
                   ", and transform = \"log\" takes numbers from 0; raise it"));
  }
}

void CheckColumns(const v1::DataConfig& data, Rules& rules) {
  const v1::CsvSchema& csv = data.csv();
  std::set<std::string> names;
  for (int i = 0; i < csv.columns_size(); ++i) {
    const v1::ColumnSpec& column = csv.columns(i);
    const std::string key = Join("data.csv.columns[", i, "]");
    if (!names.insert(column.name()).second) {
      rules.Add({key + ".name", key},
                Join("found ", Quoted(column.name()), " twice; one description is enough"));
    }
    CheckCategories(key, column, rules);
    CheckRange(key, column, rules);
    const bool label = column.name() == csv.label();
    if (label && column.kind() != "number") {
      rules.Add({key + ".kind", key},
                "found for the label column; list its words in data.csv.classes instead");
    }
    if (label && column.missing() != "default" && column.missing() != "refuse" &&
        column.missing() != "drop") {
      rules.Add({key + ".missing", key},
                Join("found ", Quoted(column.missing()),
                     " for the label column, which cannot be made up; expected refuse or drop"));
    }
    const bool special = label || Contains(data.sensitive(), column.name()) ||
                         column.name() == data.slice().column();
    if (!csv.features().empty() && !special && !Contains(csv.features(), column.name())) {
      rules.Add({key + ".name", key},
                Join("found ", Quoted(column.name()),
                     ", which data.csv.features does not list; add it there, or remove this "
                     "description"));
    }
  }
}

void CheckClasses(const v1::DataConfig& data, Rules& rules) {
  const v1::CsvSchema& csv = data.csv();
  if (csv.classes().empty()) return;
  if (data.target() == "number") {
    rules.Add({"data.csv.classes", "data.target"},
              "found with target = \"number\", which has no classes; remove them");
  } else if (csv.classes_size() < 2) {
    rules.Add({"data.csv.classes"}, "found one class, expected at least 2");
  }
  CheckDifferent("data.csv.classes", csv.classes(), rules);
}

void CheckCsv(const v1::DataConfig& data, Rules& rules) {
  if (data.file().empty()) {
    rules.Add({"data.file", "data.format"}, "missing: format = \"csv\" needs the table");
  }
  const std::array<std::pair<const char*, bool>, 2> others{
      {{"data.images", data.images().empty()}, {"data.labels", data.labels().empty()}}};
  for (const auto& [key, empty] : others) {
    if (!empty) {
      rules.Add({key, "data.format"}, "found with format = \"csv\", which reads file; remove it");
    }
  }
  const v1::CsvSchema& csv = data.csv();
  if (csv.label().empty() && (data.target() == "number" || !csv.classes().empty())) {
    rules.Add({"data.csv.label", "data.target", "data.csv.classes"},
              "missing: name the column with the class or number; only data without either, for "
              "jobs that find clusters or analyse, does without it");
  }
  if (csv.delimiter().size() != 1 || csv.delimiter() == "\"") {
    rules.Add({"data.csv.delimiter"},
              Join("found \"", Escaped(csv.delimiter(), 20),
                   "\", expected one character that is not a quote, for instance \",\""));
  }
  const std::array<std::pair<const char*, bool>, 2> lists{
      {{"data.csv.features", Contains(csv.features(), csv.label())},
       {"data.sensitive", Contains(data.sensitive(), csv.label())}}};
  for (const auto& [key, has_label] : lists) {
    if (has_label && !csv.label().empty()) {
      rules.Add({key, "data.csv.label"},
                Join("found the label column ", Quoted(csv.label()), " in it; remove it there"));
    }
  }
  CheckDifferent("data.csv.features", csv.features(), rules);
  CheckDifferent("data.sensitive", data.sensitive(), rules);
  if (!data.augment().empty()) {
    rules.Add({"data.augment", "data.format"},
              "found with format = \"csv\"; it changes images, remove it");
  }
  CheckClasses(data, rules);
  CheckMeans(csv, rules);
  CheckColumns(data, rules);
}

void CheckSlice(const v1::DataConfig& data, Rules& rules) {
  const v1::SliceConfig& slice = data.slice();
  if (slice.index() >= slice.count()) {
    rules.Add({"data.slice.index", "data.slice.count"},
              Join("found ", slice.index(), ", expected 0 to ",
                   slice.count() == 0 ? 0 : slice.count() - 1, ": count is ", slice.count()));
  }
  if (slice.kind() == "all" && slice.count() > 1) {
    rules.Add({"data.slice.count", "data.slice.kind"},
              Join("found ", slice.count(),
                   " with kind = \"all\", which takes the whole file; set kind to \"iid\", "
                   "\"dirichlet\" or \"column\", or remove count"));
  }
  if (slice.kind() == "column" && data.format() != "csv") {
    rules.Add({"data.slice.kind", "data.format"},
              "found \"column\", which only tables (csv) have; set \"iid\" or \"dirichlet\"");
  } else if (slice.kind() == "column" && slice.column().empty()) {
    rules.Add({"data.slice.column", "data.slice.kind"},
              "missing: kind = \"column\" needs the column whose cells are the clients");
  }
  if (slice.kind() != "column" && !slice.column().empty()) {
    rules.Add({"data.slice.column", "data.slice.kind"},
              Join("found with kind = ", Quoted(slice.kind()),
                   ", which does not look at it; set kind to \"column\", or remove it"));
  }
}

}  // namespace

void CheckData(const v1::DataConfig& data, Rules& rules) {
  if (!IsSafeName(data.identity())) {
    rules.Add({"data.identity"},
              Join("found \"", Escaped(data.identity(), 80),
                   "\", expected 1 to 64 characters of a-z 0-9 . _ - that start with a letter or "
                   "digit"));
  }
  if (data.format() == "idx") {
    CheckIdx(data, rules);
  } else if (data.format() == "csv") {
    CheckCsv(data, rules);
  }
  CheckSlice(data, rules);
}

}  // namespace tutti::config

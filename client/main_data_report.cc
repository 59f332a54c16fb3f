#include "client/main_data_report.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "common/base/text.h"

namespace tutti::client {
namespace {

using Json = nlohmann::ordered_json;
using Lines = std::vector<std::vector<std::string>>;

constexpr std::size_t kMostCategories = 8;  // shown of one column
constexpr std::size_t kMostFeatures = 30;   // shown by name

// Four significant digits.
std::string Short(double value) {
  std::ostringstream out;
  out << std::setprecision(4) << value;
  return out.str();
}

double ShareOf(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string Percent(std::uint64_t part, std::uint64_t whole) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1) << 100 * ShareOf(part, whole) << " %";
  return out.str();
}

// Columns of text side by side, the first two flush left.
void Align(const Lines& lines, std::size_t left, std::ostream& out) {
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const auto& line : lines) {
    std::string text = "  ";
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - line[i].size(), ' ');
      text += (i < left ? line[i] + space : space + line[i]) + "  ";
    }
    out << text.substr(0, text.find_last_not_of(' ') + 1) << "\n";
  }
}

std::string KindOf(const data::InspectedColumn& column, const data::Inspection& inspection) {
  if (column.use == "not used" || column.use == "unknown") return "";
  if (column.use == "label") {
    return inspection.label_kind == data::LabelKind::kNumber ? "number to predict" : "class";
  }
  if (column.use.find("feature") == std::string::npos) return "word";
  switch (column.declared.kind) {
    case data::Kind::kOneHot:
      return "one_hot";
    case data::Kind::kOrdinal:
      return "ordinal";
    case data::Kind::kNumber:
      break;
  }
  return "number";
}

std::string FoundIn(const data::ColumnProfile& found) {
  if (found.words() == 0 && found.numbers() == 0) return "nothing";
  if (found.words() == 0) return found.whole_numbers() ? "whole numbers" : "numbers";
  return found.numbers() == 0 ? "words" : "words and numbers";
}

std::string DifferentIn(const data::ColumnProfile& found) {
  return found.HasTooManyToCount() ? Join("over ", data::ColumnProfile::kMostDifferent)
                                   : std::to_string(found.different());
}

void PrintColumns(const data::Inspection& inspection, std::ostream& out) {
  Lines lines{{"column", "use", "read as", "found", "missing", "different", "smallest", "median",
               "largest"}};
  for (const data::InspectedColumn& column : inspection.columns) {
    const data::ColumnProfile& found = column.found;
    const auto numbers = found.words() == 0 ? found.Summary() : std::nullopt;
    lines.push_back({Escaped(column.name, 40), column.use, KindOf(column, inspection),
                     FoundIn(found), Percent(found.missing(), found.cells()), DifferentIn(found),
                     numbers ? Short(numbers->smallest) : "", numbers ? Short(numbers->median) : "",
                     numbers ? Short(numbers->largest) : ""});
  }
  Align(lines, 4, out);
}

// The most frequent cells of a column first.
std::vector<std::pair<std::string, std::uint64_t>> Frequent(const data::ColumnProfile& found) {
  std::vector<std::pair<std::string, std::uint64_t>> all(found.counts().begin(),
                                                         found.counts().end());
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return all;
}

bool HoldsCategories(const data::InspectedColumn& column) {
  return column.found.words() > 0 || column.declared.kind != data::Kind::kNumber;
}

void PrintCategories(const data::Inspection& inspection, std::ostream& out) {
  Lines lines;
  for (const data::InspectedColumn& column : inspection.columns) {
    if (!HoldsCategories(column) || column.use == "not used") continue;
    const auto words = Frequent(column.found);
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < std::min(words.size(), kMostCategories); ++i) {
      shown.push_back(Join(Escaped(words[i].first, 30), " ", words[i].second));
    }
    if (words.size() > kMostCategories) {
      shown.push_back(Join("and ", words.size() - kMostCategories, " more"));
    }
    lines.push_back({Escaped(column.name, 40), JoinWith(shown, ", ")});
  }
  if (lines.empty()) return;
  out << "\ncategories found\n";
  Align(lines, 2, out);
}

std::vector<std::uint64_t> SizesOf(const data::Groups& groups) {
  std::vector<std::uint64_t> sizes(groups.names.size());
  for (const std::uint32_t code : groups.codes) ++sizes[code];
  return sizes;
}

// Of each group, how many examples have each class.
std::vector<std::vector<std::uint64_t>> ClassesOf(const data::Dataset& data,
                                                  const data::Groups& groups, std::size_t classes) {
  std::vector<std::vector<std::uint64_t>> table(groups.names.size(),
                                                std::vector<std::uint64_t>(classes));
  for (std::size_t i = 0; i < groups.codes.size(); ++i) {
    if (data.labels[i] < classes) ++table[groups.codes[i]][data.labels[i]];
  }
  return table;
}

void PrintBalance(const data::Inspection& inspection, std::ostream& out) {
  const data::Dataset& data = *inspection.data;
  const auto classes = static_cast<std::uint32_t>(inspection.class_names.size());
  if (inspection.label_kind == data::LabelKind::kNumber) {
    if (data.targets.empty()) return;
    const auto [low, high] = std::minmax_element(data.targets.begin(), data.targets.end());
    out << "\nnumber to predict\n  " << Short(double{*low}) << " to " << Short(double{*high})
        << "\n";
    return;
  }
  if (inspection.label_kind == data::LabelKind::kNone) return;
  Lines lines;
  const auto counts = data.ClassCounts(classes);
  for (std::uint32_t i = 0; i < classes; ++i) {
    lines.push_back({Escaped(inspection.class_names[i], 40), std::to_string(counts[i]),
                     Percent(counts[i], data.training())});
  }
  out << "\nlabel, of the examples for training\n";
  Align(lines, 1, out);
}

void PrintGroups(const data::Inspection& inspection, std::ostream& out) {
  const data::Dataset& data = *inspection.data;
  const std::size_t classes = std::min<std::size_t>(inspection.class_names.size(), 5);
  for (const data::Groups& groups : data.groups) {
    Lines lines{{"group", "examples", "share"}};
    for (std::size_t i = 0; i < classes; ++i) {
      lines[0].push_back("of them " + Escaped(inspection.class_names[i], 20));
    }
    const auto sizes = SizesOf(groups);
    const auto table = ClassesOf(data, groups, classes);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      lines.push_back({Escaped(groups.names[i], 40), std::to_string(sizes[i]),
                       Percent(sizes[i], data.examples)});
      for (std::size_t c = 0; c < classes; ++c) {
        lines.back().push_back(Percent(table[i][c], sizes[i]));
      }
    }
    out << "\ngroups of " << Escaped(groups.column, 40) << "\n";
    Align(lines, 1, out);
  }
}

void PrintFeatures(const data::Inspection& inspection, std::ostream& out) {
  std::vector<std::string> names;
  for (const std::string& name : inspection.data->table.feature_names) {
    if (names.size() == kMostFeatures) break;
    names.push_back(Escaped(name, 60));
  }
  const std::size_t all = inspection.data->table.feature_names.size();
  if (names.size() < all) names.push_back(Join("and ", all - names.size(), " more"));
  if (!names.empty()) out << "features   " << JoinWith(names, ", ") << "\n";
}

std::string ShapeText(const data::Inspection& inspection) {
  std::vector<std::string> sizes;
  for (const std::uint64_t size : inspection.input_shape) sizes.push_back(std::to_string(size));
  return Join("[", JoinWith(sizes, ", "), "]");
}

std::size_t ClassesNeeded(const data::Inspection& inspection) {
  return inspection.label_kind == data::LabelKind::kNumber ? 1 : inspection.class_names.size();
}

void PrintHead(const v1::DataConfig& config, const data::Inspection& inspection,
               std::ostream& out) {
  out << "data       " << inspection.format << " " << Escaped(inspection.file, 1000) << "\n"
      << "rows       " << inspection.rows << " read";
  if (!inspection.data) {
    out << "\n";
    return;
  }
  const data::Dataset& data = *inspection.data;
  const data::TableFacts::LeftOut& left = data.table.left_out;
  if (inspection.format == "csv") {
    out << ", " << inspection.rows - left.all() << " used";
    if (left.missing > 0) out << ", " << left.missing << " left out for missing cells";
    if (left.unknown > 0) out << ", " << left.unknown << " for unknown categories";
    if (left.outliers > 0) out << ", " << left.outliers << " for outliers";
    if (left.duplicates > 0) out << ", " << left.duplicates << " equal to another";
  }
  out << "\n";
  const v1::SliceConfig& slice = config.slice();
  if (!slice.kind().empty() && slice.kind() != "all") {
    out << "slice      part " << slice.index() << " of " << slice.count() << " by "
        << Escaped(slice.kind(), 20);
    if (!data.table.slice_cells.empty()) {
      out << " " << Escaped(slice.column(), 40) << ": "
          << Escaped(data.table.slice_cells.front(), 40);
      if (data.table.slice_cells.size() > 1)
        out << " to " << Escaped(data.table.slice_cells.back(), 40);
    }
    out << "\n";
  }
  out << "examples   " << data.examples << ": " << data.training() << " for training, "
      << data.validation << " for validation\n";
  PrintFeatures(inspection, out);
  if (inspection.label_kind == data::LabelKind::kNone) {
    out << "no label   data.csv.label is empty: only jobs that find clusters (model.architecture = "
           "\"kmeans\") or analyse can use the data\n"
        << "a job has  model.input_shape = " << ShapeText(inspection) << "\n";
    return;
  }
  out << "a job has  model.input_shape = " << ShapeText(inspection)
      << ", model.classes = " << ClassesNeeded(inspection)
      << (inspection.label_kind == data::LabelKind::kNumber
              ? ", training.loss = \"mse\" or \"huber\"\n"
              : "\n");
}

void PrintFindings(const data::Inspection& inspection, std::ostream& out) {
  std::vector<std::string> warnings;
  if (inspection.data) warnings = inspection.data->warnings;
  out << "\n";
  if (inspection.findings.empty() && warnings.empty()) {
    out << "nothing stands in the way of training\n";
    return;
  }
  out << (IsUsable(inspection) ? "worth a look\n"
                               : "what stops training, and what is worth a look\n");
  for (const data::Finding& finding : inspection.findings) {
    out << (finding.stops ? "  stops  " : "  hint   ") << finding.text << "\n";
    if (!finding.advice.empty()) out << "         -> " << finding.advice << "\n";
  }
  for (const std::string& warning : warnings) out << "  hint   " << warning << "\n";
}

Json ColumnJson(const data::InspectedColumn& column, const data::Inspection& inspection) {
  const data::ColumnProfile& found = column.found;
  Json json = {{"name", column.name},
               {"use", column.use},
               {"read_as", KindOf(column, inspection)},
               {"found", FoundIn(found)},
               {"cells", found.cells()},
               {"missing", found.missing()},
               {"words", found.words()},
               {"different", found.HasTooManyToCount() ? Json() : Json(found.different())}};
  const auto numbers = found.Summary();
  for (const auto& [key, value] : {std::pair{"smallest", &data::Numbers::smallest},
                                   {"lower_quartile", &data::Numbers::lower_quartile},
                                   {"median", &data::Numbers::median},
                                   {"upper_quartile", &data::Numbers::upper_quartile},
                                   {"largest", &data::Numbers::largest},
                                   {"mean", &data::Numbers::mean},
                                   {"stddev", &data::Numbers::stddev}}) {
    json[key] = numbers && std::isfinite((*numbers).*value) ? Json((*numbers).*value) : Json();
  }
  json["far_out"] = numbers ? numbers->far_out : 0;
  json["outside_range"] = found.Outside(column.declared.low, column.declared.high);
  json["categories"] = Json::object();
  if (HoldsCategories(column) && !found.HasTooManyToCount()) {
    for (const auto& [word, count] : found.counts()) json["categories"][word] = count;
  }
  return json;
}

Json GroupsJson(const data::Inspection& inspection) {
  Json all = Json::array();
  if (!inspection.data) return all;
  for (const data::Groups& groups : inspection.data->groups) {
    const auto sizes = SizesOf(groups);
    const auto table = ClassesOf(*inspection.data, groups, inspection.class_names.size());
    Json list = Json::array();
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      list.push_back({{"name", groups.names[i]}, {"examples", sizes[i]}, {"labels", table[i]}});
    }
    all.push_back({{"column", groups.column}, {"groups", list}});
  }
  return all;
}

}  // namespace

bool IsUsable(const data::Inspection& inspection) {
  return std::none_of(inspection.findings.begin(), inspection.findings.end(),
                      [](const data::Finding& finding) { return finding.stops; });
}

std::string TextOfInspection(const v1::DataConfig& config, const data::Inspection& inspection) {
  std::ostringstream out;
  PrintHead(config, inspection, out);
  if (!inspection.columns.empty()) {
    out << "\n";
    PrintColumns(inspection, out);
    PrintCategories(inspection, out);
  }
  if (inspection.data) {
    PrintBalance(inspection, out);
    PrintGroups(inspection, out);
  }
  PrintFindings(inspection, out);
  return out.str();
}

std::string JsonOfInspection(const v1::DataConfig& config, const data::Inspection& inspection) {
  Json json = {{"format", inspection.format},   {"file", inspection.file},
               {"identity", config.identity()}, {"usable", IsUsable(inspection)},
               {"rows", inspection.rows},       {"equal_rows", inspection.equal_rows}};
  const bool read = inspection.data.has_value();
  const data::TableFacts::LeftOut left =
      read ? inspection.data->table.left_out : data::TableFacts::LeftOut{};
  json["left_out"] = {{"missing", left.missing},
                      {"unknown", left.unknown},
                      {"outliers", left.outliers},
                      {"duplicates", left.duplicates}};
  json["examples"] = read ? Json(inspection.data->examples) : Json();
  json["training"] = read ? Json(inspection.data->training()) : Json();
  json["validation"] = read ? Json(inspection.data->validation) : Json();
  json["slice_cells"] = read ? Json(inspection.data->table.slice_cells) : Json::array();
  json["input_shape"] = inspection.input_shape;
  json["classes"] = ClassesNeeded(inspection);
  json["class_names"] = inspection.class_names;
  json["class_counts"] = read ? Json(inspection.data->ClassCounts(
                                    static_cast<std::uint32_t>(inspection.class_names.size())))
                              : Json::array();
  json["features"] = read ? Json(inspection.data->table.feature_names) : Json::array();
  json["groups"] = GroupsJson(inspection);
  json["local_statistics"] = inspection.local_statistics;
  json["columns"] = Json::array();
  for (const data::InspectedColumn& column : inspection.columns) {
    json["columns"].push_back(ColumnJson(column, inspection));
  }
  json["findings"] = Json::array();
  for (const data::Finding& finding : inspection.findings) {
    json["findings"].push_back(
        {{"stops", finding.stops}, {"text", finding.text}, {"advice", finding.advice}});
  }
  json["warnings"] = read ? Json(inspection.data->warnings) : Json::array();
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace tutti::client

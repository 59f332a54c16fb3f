// Small tables for the tests of their preparation.
#pragma once

#include <functional>
#include <string>

#include "client/data/csv.h"
#include "tests/catch.h"
#include "tests/unit/data/files.h"

namespace tutti::data {

inline bool Says(const std::string& text, const std::string& part) {
  INFO(text);
  INFO("expected: " << part);
  return text.find(part) != std::string::npos;
}

using Change = std::function<void(v1::DataConfig&)>;

inline v1::DataConfig TableConfig(const std::string& path) {
  v1::DataConfig config;
  config.set_format("csv");
  config.set_file(path);
  config.mutable_csv()->set_label("y");
  return WithDefaults(config);
}

// `text` with the label y of two classes, whatever width its columns make.
inline StatusOr<Dataset> Prepared(const std::string& text, const Change& change,
                                  std::uint32_t classes = 2) {
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", text));
  change(config);
  return LoadCsv(config, 0, classes);
}

inline std::string WhyNot(const std::string& text, const Change& change,
                          std::uint32_t classes = 2) {
  const auto result = Prepared(text, change, classes);
  return result.ok() ? "it was read" : TextOf(result.status());
}

inline v1::ColumnSpec& AddColumn(v1::DataConfig& config, const std::string& name,
                                 const std::string& kind = "number",
                                 const std::vector<std::string>& categories = {}) {
  v1::ColumnSpec& column = *config.mutable_csv()->add_columns();
  column.set_name(name);
  column.set_kind(kind);
  for (const std::string& category : categories) column.add_categories(category);
  return column;
}

}  // namespace tutti::data

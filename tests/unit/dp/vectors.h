// Rows of a CSV of numbers under tests/vectors/dp, by column name.
#pragma once

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace tutti::dp::testing {

using Row = std::map<std::string, double>;

// Loops that take many seconds look at every Stride()-th row; TUTTI_ALL_ROWS (`make soak`) at all.
inline std::size_t Stride() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 7;
#else
  return std::getenv("TUTTI_ALL_ROWS") == nullptr ? 4 : 1;
#endif
}

inline std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
  return cells;
}

// An empty cell becomes NaN. An unreadable file gives no rows: tests require the number of rows.
inline std::vector<Row> ReadRows(const std::string& name) {
  std::ifstream in(std::string(TUTTI_TEST_DATA) + "/vectors/dp/" + name);
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> names = Cells(line);
  std::vector<Row> rows;
  while (std::getline(in, line)) {
    const std::vector<std::string> cells = Cells(line);
    Row row;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const bool empty = i >= cells.size() || cells[i].empty();
      row[names[i]] =
          empty ? std::numeric_limits<double>::quiet_NaN() : std::strtod(cells[i].c_str(), nullptr);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace tutti::dp::testing

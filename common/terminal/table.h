// Tables of text for terminals and pipes: aligned columns, two spaces apart, a rule under the
// titles. Thread safety: value type.
#pragma once

#include <string>
#include <vector>

namespace tutti::terminal {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // A missing cell is empty, a surplus one is dropped. Cells are escaped: a peer's text can neither
  // break the line nor colour the terminal.
  void AddRow(std::vector<std::string> cells);
  // A rule before the next row.
  void AddRule() { rules_.push_back(rows_.size()); }

  bool empty() const { return rows_.empty(); }
  // Every line ends with a line end and none with spaces.
  std::string Text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> rules_;  // row indices
};

// "name:   value" lines, the values aligned.
std::string Pairs(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace tutti::terminal

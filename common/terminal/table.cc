#include "common/terminal/table.h"

#include <algorithm>

#include "common/base/text.h"

namespace tutti::terminal {
namespace {

void TrimRight(std::string& line) {
  while (!line.empty() && line.back() == ' ') {
    line.pop_back();
  }
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) {
    cell = Escaped(cell, 500);
  }
  rows_.push_back(std::move(cells));
}

std::string Table::Text() const {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    std::size_t width = columns_[column].title.size();
    for (const auto& row : rows_) {
      width = std::max(width, row[column].size());
    }
    widths.push_back(width);
  }
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      const std::string cell = cell_of(column);
      const std::string padding(widths[column] - cell.size(), ' ');
      line += column == 0 ? "" : "  ";
      line += columns_[column].align == Align::kRight ? padding + cell : cell + padding;
    }
    TrimRight(line);
    text += line + "\n";
  };
  const auto add_rule = [&] {
    add_line([&](std::size_t column) { return std::string(widths[column], '-'); });
  };
  add_line([&](std::size_t column) { return columns_[column].title; });
  add_rule();
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (std::find(rules_.begin(), rules_.end(), row) != rules_.end()) {
      add_rule();
    }
    add_line([&](std::size_t column) { return rows_[row][column]; });
  }
  return text;
}

std::string Pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::size_t width = 0;
  for (const auto& [name, value] : pairs) {
    width = std::max(width, name.size());
  }
  std::string text;
  for (const auto& [name, value] : pairs) {
    std::string line = name + ":" + std::string(width - name.size() + 2, ' ') + Escaped(value, 500);
    TrimRight(line);
    text += line + "\n";
  }
  return text;
}

}  // namespace tutti::terminal

#include "common/config/nesting.h"

#include <cstddef>

namespace tutti::config {
namespace {

constexpr std::size_t kMaxDepth = 32;

// The position after the string that starts at `start`: a basic ("), literal (') or multi-line one.
std::size_t SkipString(std::string_view text, std::size_t start) {
  const char quote = text[start];
  const bool multi_line = text.substr(start, 3) == (quote == '"' ? "\"\"\"" : "'''");
  const std::size_t width = multi_line ? 3 : 1;
  const std::string_view end = text.substr(start, width);
  for (std::size_t i = start + width; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text.substr(i, width) == end) {
      return i + width;
    } else if (text[i] == '\n' && !multi_line) {
      return i;  // unterminated: the parser will say so
    }
  }
  return text.size();
}

}  // namespace

std::optional<TooDeep> FindDeepNesting(std::string_view text) {
  std::size_t dots = 0;
  std::size_t open = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = SkipString(text, i);
      continue;
    }
    if (c == '#') {
      i = text.find('\n', i);
      i = i == std::string_view::npos ? text.size() : i;
      continue;
    }
    if (c == '.') {
      ++dots;
    } else if (c == '\n' || c == ',' || c == '=') {
      dots = 0;
    } else if (c == '[' || c == '{') {
      ++open;
    } else if ((c == ']' || c == '}') && open > 0) {
      --open;
    }
    if (dots > kMaxDepth || open > kMaxDepth) {
      TooDeep place{.line = 1, .column = 1};
      for (std::size_t j = 0; j < i; ++j) {
        place.column = text[j] == '\n' ? 1 : place.column + 1;
        place.line += text[j] == '\n' ? 1U : 0U;
      }
      return place;
    }
    ++i;
  }
  return std::nullopt;
}

}  // namespace tutti::config

#include "client/data/cells.h"

#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

#include "common/base/text.h"

namespace tutti::data {

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool IsMissing(std::string_view cell) { return cell.empty() || cell == "NA"; }

StatusOr<double> ParseNumber(std::string_view cell) {
  const std::string shown = Escaped(cell, 40);
  if (!cell.empty() && cell.front() == '+') cell.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error == std::errc::result_out_of_range) {
    return InvalidArgument(Join("has ", shown, ", out of range"));
  }
  if (error != std::errc() || end != cell.data() + cell.size()) {
    return InvalidArgument(Join("has \"", shown, "\", expected a number"));
  }
  if (!std::isfinite(value)) {
    return InvalidArgument(Join("has ", shown, ", expected a finite number"));
  }
  return value;
}

}  // namespace tutti::data

#include "client/data/profile.h"

#include <algorithm>
#include <cmath>

#include "client/data/cells.h"

namespace tutti::data {
namespace {

constexpr std::size_t kMostCharacters = 100;  // of a cell, to tell it from others

// Of sorted values, between neighbours in proportion.
double Quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

}  // namespace

void ColumnProfile::Add(std::string_view cell, std::uint64_t line) {
  if (IsMissing(cell)) {
    if (missing_++ == 0) first_missing_line_ = line;
    return;
  }
  const std::string_view shown = cell.substr(0, kMostCharacters);
  if (const auto known = counts_.find(shown); known != counts_.end()) {
    ++known->second;
  } else if (counts_.size() <= kMostDifferent) {
    counts_.emplace(shown, 1);
  }
  if (const auto number = ParseNumber(cell); number.ok()) {
    values_.push_back(*number);
    whole_ = whole_ && *number == std::floor(*number);
    return;
  }
  if (words_++ == 0) {
    first_word_line_ = line;
    first_word_ = cell;
  }
}

std::optional<Numbers> ColumnProfile::Summary() const {
  if (values_.empty()) return std::nullopt;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  Numbers numbers;
  numbers.smallest = sorted.front();
  numbers.largest = sorted.back();
  numbers.median = Quantile(sorted, 0.5);
  numbers.lower_quartile = Quantile(sorted, 0.25);
  numbers.upper_quartile = Quantile(sorted, 0.75);
  const auto count = static_cast<double>(sorted.size());
  for (const double value : sorted) numbers.mean += value / count;
  double variance = 0;
  for (const double value : sorted) {
    variance += (value - numbers.mean) * (value - numbers.mean) / count;
  }
  numbers.stddev = std::sqrt(variance);
  // Tukey's outer fences; a column whose middle half is one value has none.
  const double distance = 3 * (numbers.upper_quartile - numbers.lower_quartile);
  if (distance > 0) {
    numbers.far_out = Outside(numbers.lower_quartile - distance, numbers.upper_quartile + distance);
  }
  return numbers;
}

std::uint64_t ColumnProfile::Outside(double low, double high) const {
  return static_cast<std::uint64_t>(std::count_if(
      values_.begin(), values_.end(), [&](double value) { return value < low || value > high; }));
}

}  // namespace tutti::data

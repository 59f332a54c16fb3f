// What the cells of one column of a table really hold, whatever they are declared as. Thread
// safety: confined to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tutti::data {

struct Numbers {
  double smallest = 0, largest = 0, mean = 0, stddev = 0;
  double median = 0, lower_quartile = 0, upper_quartile = 0;
  std::uint64_t far_out = 0;  // more than 3 quartile distances outside the quartiles
};

class ColumnProfile {
 public:
  // Different cells beyond this many are no longer told apart.
  static constexpr std::size_t kMostDifferent = 1000;

  // `cell` is trimmed; `line` is where it stands.
  void Add(std::string_view cell, std::uint64_t line);

  std::uint64_t cells() const { return missing_ + words_ + values_.size(); }
  std::uint64_t missing() const { return missing_; }
  std::uint64_t numbers() const { return values_.size(); }
  std::uint64_t words() const { return words_; }
  bool whole_numbers() const { return words_ == 0 && !values_.empty() && whole_; }
  std::size_t different() const { return counts_.size(); }  // at most kMostDifferent + 1
  bool HasTooManyToCount() const { return counts_.size() > kMostDifferent; }
  std::uint64_t first_missing_line() const { return first_missing_line_; }
  std::uint64_t first_word_line() const { return first_word_line_; }  // 0: only numbers
  const std::string& first_word() const { return first_word_; }

  // Different cells and how often each comes, in sorted order; not complete when HasTooManyToCount.
  const std::map<std::string, std::uint64_t, std::less<>>& counts() const { return counts_; }
  // Of the cells that are numbers; none without any.
  std::optional<Numbers> Summary() const;
  std::uint64_t Outside(double low, double high) const;  // numbers out of the range

 private:
  std::uint64_t missing_ = 0, words_ = 0;
  std::uint64_t first_missing_line_ = 0, first_word_line_ = 0;
  std::string first_word_;
  bool whole_ = true;
  std::vector<double> values_;
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

}  // namespace tutti::data

// Words as small numbers: groups of sensitive columns, cells of the column that slices a table.
// Thread safety: value type.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace tutti::data {

// A sensitive column with more different cells than this is no column of groups, unless its
// categories are declared.
inline constexpr std::size_t kMaxGroups = 64;

class Interner {
 public:
  Interner() = default;
  // Starts with the words declared, in this order.
  explicit Interner(const std::vector<std::string>& declared);

  std::uint32_t CodeOf(const std::string& word);
  std::size_t size() const { return codes_.size(); }

  // `codes` with the words put in order: those declared as declared, then the others sorted.
  // `names` becomes the words in that order.
  std::vector<std::uint32_t> Sorted(const std::vector<std::uint32_t>& codes,
                                    std::vector<std::string>& names) const;

 private:
  std::map<std::string, std::uint32_t> codes_;
  std::size_t declared_ = 0;
};

// InvalidArgument for the sensitive column `name`.
Status TooManyGroups(const std::string& name);

}  // namespace tutti::data

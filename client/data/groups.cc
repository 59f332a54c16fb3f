#include "client/data/groups.h"

#include "common/base/text.h"

namespace tutti::data {

Interner::Interner(const std::vector<std::string>& declared) : declared_(declared.size()) {
  for (const std::string& word : declared) CodeOf(word);
}

std::uint32_t Interner::CodeOf(const std::string& word) {
  return codes_.emplace(word, static_cast<std::uint32_t>(codes_.size())).first->second;
}

std::vector<std::uint32_t> Interner::Sorted(const std::vector<std::uint32_t>& codes,
                                            std::vector<std::string>& names) const {
  std::vector<std::uint32_t> place(codes_.size());
  names.assign(codes_.size(), {});
  auto next = static_cast<std::uint32_t>(declared_);
  for (const auto& [word, code] : codes_) {  // sorted
    place[code] = code < declared_ ? code : next++;
    names[place[code]] = word;
  }
  std::vector<std::uint32_t> sorted;
  sorted.reserve(codes.size());
  for (const std::uint32_t code : codes) sorted.push_back(place[code]);
  return sorted;
}

Status TooManyGroups(const std::string& name) {
  return InvalidArgument(Join("column \"", Escaped(name), "\" of data.sensitive has more than ",
                              kMaxGroups,
                              " different cells; groups have to be few: list them as categories in "
                              "data.csv.columns, or write a column of wider groups"));
}

}  // namespace tutti::data

#include "client/data/group_codes.h"

#include <algorithm>

#include "common/base/text.h"

namespace tutti::data {

StatusOr<std::vector<std::uint32_t>> GroupCodes(const Dataset& data,
                                                const v1::FairnessSpec& fairness) {
  const auto found =
      std::find_if(data.groups.begin(), data.groups.end(),
                   [&](const Groups& groups) { return groups.column == fairness.attribute(); });
  if (found == data.groups.end()) {
    return FailedPrecondition(
        Join("the job compares groups of the column \"", Escaped(fairness.attribute(), 80),
             "\", which this device's data.sensitive does not list; list it there to take part"));
  }
  const auto& listed = fairness.groups();
  std::vector<std::uint32_t> place;  // of each of the device's words
  for (const std::string& name : found->names) {
    const auto at = std::find(listed.begin(), listed.end(), name);
    place.push_back(static_cast<std::uint32_t>(at - listed.begin()));
  }
  std::vector<std::uint32_t> codes;
  codes.reserve(found->codes.size());
  for (const std::uint32_t code : found->codes) codes.push_back(place[code]);
  return codes;
}

}  // namespace tutti::data

#include "common/model/layout.h"

#include <algorithm>

#include "common/base/status.h"

namespace tutti::model {

bool IsIn(Section section, const Parameter& parameter) {
  switch (section) {
    case Section::kCommon:
      return parameter.part == Part::kCommon;
    case Section::kPersonal:
      return parameter.part == Part::kPersonal;
    case Section::kTrained:
      return parameter.part != Part::kFrozen;
    case Section::kFrozen:
      return parameter.part == Part::kFrozen;
  }
  return false;
}

std::uint64_t ValuesIn(const Layout& layout, Section section) {
  std::uint64_t values = 0;
  for (const Parameter& parameter : layout.parameters) {
    values += IsIn(section, parameter) ? parameter.values : 0;
  }
  return values;
}

Layout Sublayout(const Layout& layout, Section section) {
  Layout result;
  for (const Parameter& parameter : layout.parameters) {
    if (IsIn(section, parameter)) {
      result.parameters.push_back(parameter);
      result.parameters.back().offset = result.values;
      result.values += parameter.values;
    }
  }
  return result;
}

std::vector<float> Take(const Layout& layout, Section section, std::span<const float> all) {
  TUTTI_CHECK(all.size() == layout.values);
  std::vector<float> values;
  values.reserve(ValuesIn(layout, section));
  for (const Parameter& parameter : layout.parameters) {
    if (IsIn(section, parameter)) {
      const auto from = all.subspan(parameter.offset, parameter.values);
      values.insert(values.end(), from.begin(), from.end());
    }
  }
  return values;
}

std::vector<float> Spread(const Layout& layout, Section section, std::vector<float> values) {
  if (values.size() == layout.values) {
    return values;
  }
  std::vector<float> all(layout.values);
  Put(layout, section, values, all);
  return all;
}

void Put(const Layout& layout, Section section, std::span<const float> values,
         std::span<float> all) {
  TUTTI_CHECK(all.size() == layout.values && values.size() == ValuesIn(layout, section));
  for (const Parameter& parameter : layout.parameters) {
    if (IsIn(section, parameter)) {
      const auto from = values.first(parameter.values);
      std::copy(from.begin(), from.end(),
                all.begin() + static_cast<std::ptrdiff_t>(parameter.offset));
      values = values.subspan(parameter.values);
    }
  }
}

}  // namespace tutti::model

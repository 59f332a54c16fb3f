#include "common/model/parts.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/text.h"

namespace tutti::model {
namespace {

using Patterns = google::protobuf::RepeatedPtrField<std::string>;

std::string NamesOf(const Layout& layout) {
  constexpr std::size_t kNamed = 12;
  std::vector<std::string> names;
  for (const Parameter& parameter : layout.parameters) {
    if (names.size() == kNamed) {
      names.emplace_back("...");
      break;
    }
    names.push_back(Escaped(parameter.name, 80));
  }
  return JoinWith(names, ", ");
}

Status Assign(std::string_view key, const Patterns& patterns, Part part, Layout& layout) {
  for (const std::string& pattern : patterns) {
    bool found = false;
    for (Parameter& parameter : layout.parameters) {
      if (!NameMatches(pattern, parameter.name)) {
        continue;
      }
      found = true;
      if (part == Part::kPersonal && parameter.part == Part::kFrozen) {
        return InvalidArgument(Join("model.", key, ": \"", Escaped(pattern, 80), "\" names ",
                                    Escaped(parameter.name, 80),
                                    ", which is frozen (by model.frozen or model.adapter_rank) and "
                                    "cannot be trained; name other parameters"));
      }
      parameter.part = part;
    }
    if (!found) {
      return InvalidArgument(Join("model.", key, ": \"", Escaped(pattern, 80),
                                  "\" names no parameter; the model has ", NamesOf(layout),
                                  "; write a name, or the beginning of names and *"));
    }
  }
  return OkStatus();
}

}  // namespace

bool NameMatches(std::string_view pattern, std::string_view name) {
  if (!pattern.empty() && pattern.back() == '*') {
    return name.starts_with(pattern.substr(0, pattern.size() - 1));
  }
  return pattern == name;
}

Status AssignParts(const v1::ModelSpec& spec, Layout& layout) {
  TUTTI_TRY(Assign("frozen", spec.frozen(), Part::kFrozen, layout));
  TUTTI_TRY(Assign("personal", spec.personal(), Part::kPersonal, layout));
  if (ValuesIn(layout, Section::kCommon) == 0) {
    return InvalidArgument(ValuesIn(layout, Section::kPersonal) == 0
                               ? "model.frozen names every parameter; leave some to train"
                               : "model.personal names every parameter that is trained; leave some "
                                 "to train together");
  }
  return OkStatus();
}

}  // namespace tutti::model

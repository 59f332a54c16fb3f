#include "tests/vectors/secagg/json.h"

#include <algorithm>

namespace tutti::vectors {
namespace {

constexpr std::size_t kShort = 96;  // characters

bool IsFlat(const Json& value) {
  return std::none_of(value.begin(), value.end(),
                      [](const Json& item) { return item.is_structured() && !item.empty(); });
}

bool FitsOneLine(const Json& value) {
  return !value.is_structured() || (value.is_array() && IsFlat(value)) ||
         value.dump().size() <= kShort;
}

void Append(const Json& value, const std::string& indent, std::string& out) {
  if (FitsOneLine(value)) {
    out += value.dump();
    return;
  }
  const std::string deeper = indent + ' ';
  out += value.is_object() ? "{\n" : "[\n";
  for (auto item = value.begin(); item != value.end(); ++item) {
    out += deeper;
    if (value.is_object()) {
      out += Json(item.key()).dump() + ": ";
    }
    Append(*item, deeper, out);
    out += std::next(item) == value.end() ? "\n" : ",\n";
  }
  out += indent + (value.is_object() ? "}" : "]");
}

}  // namespace

std::string Print(const Json& value) {
  std::string out;
  Append(value, "", out);
  return out + '\n';
}

}  // namespace tutti::vectors

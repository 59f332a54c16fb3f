#include "common/model/metadata_number.h"

#include <charconv>
#include <cmath>

#include "common/base/text.h"

namespace tutti::model {

StatusOr<std::optional<double>> NumberIn(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::optional<double>();
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return InvalidArgument(Join("the checkpoint's ", key, " is \"", Escaped(text, 40),
                                "\", expected a finite number"));
  }
  return std::optional(value);
}

void SetNumber(const char* key, double value, Metadata& metadata) {
  char text[32];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value);
  TUTTI_CHECK(error == std::errc());
  metadata[key] = std::string(std::begin(text), end);
}

}  // namespace tutti::model

#include "common/privacy/clip_norm.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/base/text.h"

namespace tutti::privacy {
namespace {

constexpr const char* kKey = "clip_norm";

}  // namespace

StatusOr<std::optional<double>> ClipNormOf(BytesView checkpoint) {
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(checkpoint));
  const auto found = metadata.find(kKey);
  if (found == metadata.end()) return std::optional<double>();
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !(value >= kLeastClipNorm && value <= kMostClipNorm)) {
    return InvalidArgument(Join("the checkpoint's clip_norm is \"", Escaped(text, 40),
                                "\", expected a number from ", kLeastClipNorm, " to ",
                                kMostClipNorm));
  }
  return std::optional(value);
}

void SetClipNorm(double clip_norm, model::Metadata& metadata) {
  char text[32];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), clip_norm);
  TUTTI_CHECK(error == std::errc());
  metadata[kKey] = std::string(std::begin(text), end);
}

double NextClipNorm(const v1::PrivacySpec& privacy, double clip_norm, double share_below) {
  const double rate = privacy.clip_learning_rate();
  const double next = clip_norm * std::exp(-rate * (share_below - privacy.target_quantile()));
  return std::clamp(next, kLeastClipNorm, kMostClipNorm);
}

}  // namespace tutti::privacy

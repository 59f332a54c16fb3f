#include "common/privacy/clip_norm.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/model/metadata_number.h"

namespace tutti::privacy {
namespace {

constexpr const char* kKey = "clip_norm";

}  // namespace

StatusOr<std::optional<double>> ClipNormOf(BytesView checkpoint) {
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(checkpoint));
  TUTTI_ASSIGN(const std::optional<double> value, model::NumberIn(metadata, kKey));
  if (value && !(*value >= kLeastClipNorm && *value <= kMostClipNorm)) {
    return InvalidArgument(Join("the checkpoint's clip_norm is ", *value,
                                ", expected a number from ", kLeastClipNorm, " to ",
                                kMostClipNorm));
  }
  return value;
}

void SetClipNorm(double clip_norm, model::Metadata& metadata) {
  model::SetNumber(kKey, clip_norm, metadata);
}

double NextClipNorm(const v1::PrivacySpec& privacy, double clip_norm, double share_below) {
  const double rate = privacy.clip_learning_rate();
  const double next = clip_norm * std::exp(-rate * (share_below - privacy.target_quantile()));
  return std::clamp(next, kLeastClipNorm, kMostClipNorm);
}

}  // namespace tutti::privacy

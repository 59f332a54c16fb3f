// The clip norm of a round with adaptive clipping: it follows from the rounds before, so it travels
// with the model, in the checkpoint's metadata, and is bound to the round by the model's hash.
// Thread safety: pure functions. Source: Andrew, Thakkar, McMahan, Ramaswamy 2021,
// arXiv:1905.03871.
#pragma once

#include <optional>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/model/safetensors.h"
#include "tutti/v1/task.pb.h"

namespace tutti::privacy {

inline constexpr double kLeastClipNorm = 1e-6;
inline constexpr double kMostClipNorm = 1e6;

// Nothing when the checkpoint has none. InvalidArgument when it is no number from kLeastClipNorm to
// kMostClipNorm.
StatusOr<std::optional<double>> ClipNormOf(BytesView checkpoint);
void SetClipNorm(double clip_norm, model::Metadata& metadata);

// After a round in which about `share_below` of the norms were at most `clip_norm`:
// clip_norm * exp(-clip_learning_rate * (share_below - target_quantile)), within the bounds above.
double NextClipNorm(const v1::PrivacySpec& privacy, double clip_norm, double share_below);

}  // namespace tutti::privacy

// Whether the owner lets noise come from where client.toml says. Thread safety: pure function.
#pragma once

#include "common/base/status.h"
#include "tutti/v1/config.pb.h"

namespace tutti::policy {

// PermissionDenied "INSECURE_SEED: ..." when the trainer would draw predictable noise and the
// policy does not say allow_insecure_seed = true. Asked once, before the client starts.
Status CheckNoiseSource(const v1::PolicyConfig& policy, const v1::TrainerConfig& trainer);

}  // namespace tutti::policy

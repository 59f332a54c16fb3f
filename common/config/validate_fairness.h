// Contradictions of [fairness] with itself and with the rest of a job. Internal to common/config.
// Thread safety: confined to the call.
#pragma once

#include "common/config/rules.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

void CheckFairness(const v1::JobConfig& job, Rules& rules);

}  // namespace tutti::config

// The rules of a job file with kind = "evaluate": it measures a model and trains nothing, so keys
// that say how to train have no place in it. Internal to common/config. Thread safety: confined to
// the call.
#pragma once

#include "common/config/rules.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

// Of such jobs; for all others, that [measure] is left alone.
void CheckEvaluate(const v1::JobConfig& job, Rules& rules);

}  // namespace tutti::config

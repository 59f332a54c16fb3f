// The rules of a job file about its model: architecture, layers, which parameters are trained, and
// the loss that goes with it. Internal to common/config. Thread safety: confined to the call.
#pragma once

#include "common/config/rules.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

void CheckModel(const v1::JobConfig& job, Rules& rules);

}  // namespace tutti::config

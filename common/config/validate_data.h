// Contradictions within the data section of client.toml. Internal to common/config. Thread safety:
// confined to the call.
#pragma once

#include "common/config/rules.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

void CheckData(const v1::DataConfig& data, Rules& rules);

}  // namespace tutti::config

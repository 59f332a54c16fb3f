// Values from the environment and the command line, over what the file says. Internal to
// common/config. Thread safety: confined to the call.
#pragma once

#include "common/config/load.h"

namespace tutti::config {

void ApplyOverrides(const Overrides& overrides, google::protobuf::Message& out, LoadResult& result);

}  // namespace tutti::config

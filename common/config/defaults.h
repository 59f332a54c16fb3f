// Defaults and required keys, from the options of the schema. Internal to common/config.
// Thread safety: confined to the call.
#pragma once

#include "common/config/load.h"

namespace tutti::config {

// Every key without an origin gets its default; absent sections come to be.
void CompleteDefaults(google::protobuf::Message& message, const LoadResult& result);

// A problem for every required key that nothing has set, at its section.
void CheckRequired(const google::protobuf::Message& message, LoadResult& result);

}  // namespace tutti::config

// Single numbers in the metadata of a safetensors file, as decimal text that reads back exactly.
// Thread safety: pure functions.
#pragma once

#include <optional>

#include "common/base/status.h"
#include "common/model/safetensors.h"

namespace tutti::model {

// None when the key is not there; InvalidArgument when its text is no finite number.
StatusOr<std::optional<double>> NumberIn(const Metadata& metadata, const char* key);
void SetNumber(const char* key, double value, Metadata& metadata);  // finite

}  // namespace tutti::model

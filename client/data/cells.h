// What a single cell of a table says. Thread safety: pure functions.
#pragma once

#include <string_view>

#include "common/base/status.h"

namespace tutti::data {

// Without the spaces and tabs around it.
std::string_view Trimmed(std::string_view text);

// Whether a trimmed cell says that there is no value: it is empty, or NA.
bool IsMissing(std::string_view cell);

// A trimmed cell as a finite number. InvalidArgument "has ..., expected a number" otherwise.
StatusOr<double> ParseNumber(std::string_view cell);

}  // namespace tutti::data

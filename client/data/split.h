// Which examples are kept from training and measure the model instead. An example is drawn by a
// hash of its own content and the data set's name, so the draw does not change when other examples
// come or go, equal examples are never on both sides, and every client of an experiment (the
// evaluator too) draws alike. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace tutti::data {

// What the digest of an example starts with.
std::string ValidationPurpose(std::string_view identity);

// True for about `fraction` (0 to 0.9) of all digests.
bool IsForValidation(const Digest& digest, double fraction);

}  // namespace tutti::data

// What about an inspected table deserves its owner's attention. Thread safety: pure function.
#pragma once

#include <vector>

#include "client/data/inspect.h"

namespace tutti::data {

// Of the columns, label and groups of `inspection`, as `config` declares them.
std::vector<Finding> FindingsOf(const v1::DataConfig& config, const Inspection& inspection);

}  // namespace tutti::data

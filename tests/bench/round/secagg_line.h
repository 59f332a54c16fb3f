// tutti-bench secagg: the figures of one round as a line, beside what this machine allows at most,
// measured in the same run. Thread safety: as MeasureSecagg.
#pragma once

#include <nlohmann/json.hpp>

#include "common/base/status.h"
#include "tests/bench/secagg/secagg_bench.h"

namespace tutti::bench {

StatusOr<nlohmann::json> SecaggLine(const SecaggSettings& settings);

}  // namespace tutti::bench

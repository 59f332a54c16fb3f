// What the privacy accountants cost in time. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/status.h"

namespace tutti::bench {

struct AccountantSettings {
  double sampling_rate = 0.01;
  double noise_multiplier = 1.1;
  std::uint64_t steps = 10000;
  double delta = 1e-5;
  int repetitions = 20;
};

// The least time of the repetitions, each from nothing: no curve or grid is kept between them.
StatusOr<nlohmann::json> MeasureAccountant(const AccountantSettings& settings);

}  // namespace tutti::bench

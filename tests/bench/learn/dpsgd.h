// One step of DP-SGD against one without privacy, of models built on LibTorch's own calls. Each way
// runs in a process of its own, so that its memory is its own; the two take turns, so that what
// else the machine does slows both. Thread safety: call from main.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"

namespace tutti::bench {

struct DpsgdSettings {
  std::string model = "mlp";  // mlp | lenet | gnconv | lstm
  std::uint32_t batch = 64;
  std::string method = "chosen";  // or one of learn::MethodName
};

// One JSON line: step_ms, plain_step_ms and ratio (medians over 15 turns of the least of a turn's
// steps, CPU time), extra_mib, plain_extra_mib, method and others.
StatusOr<std::string> DpsgdLine(const DpsgdSettings& settings);

}  // namespace tutti::bench

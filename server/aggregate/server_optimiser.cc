#include "server/aggregate/server_optimiser.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/text.h"

namespace tutti::aggregate {
namespace {

constexpr std::uint32_t kExponent = 0x7f800000;  // all ones: infinity or not a number

// One pass that both moves the model and looks for exponents of all ones: integer arithmetic
// without branches, so the compiler vectorises it.
bool MoveAll(std::span<const float> model, std::span<const float> mean, float rate,
             std::span<float> next) {
  const float* from = model.data();
  const float* step = mean.data();
  float* to = next.data();
  std::uint32_t bad = 0;
  for (std::size_t i = 0; i < model.size(); ++i) {
    const float moved = from[i] + rate * step[i];
    to[i] = moved;
    bad |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(moved) & kExponent) == kExponent);
  }
  return bad == 0;
}

}  // namespace

Status ApplyFedAvg(std::span<const float> model, std::span<const float> mean_update,
                   double learning_rate, std::span<float> next) {
  if (mean_update.size() != model.size() || next.size() != model.size()) {
    return InvalidArgument(Join("update has ", mean_update.size(), " values and the result ",
                                next.size(), ", the model has ", model.size()));
  }
  const float rate = static_cast<float>(learning_rate);
  if (!std::isfinite(rate) || !(rate > 0)) {
    return InvalidArgument(
        Join("server learning rate is ", learning_rate, ", expected a positive finite number"));
  }
  if (MoveAll(model, mean_update, rate, next)) {
    return OkStatus();
  }
  for (std::size_t i = 0; i < next.size(); ++i) {
    if (!std::isfinite(next[i])) {
      return DataLoss(Join("value ", i, " of the new model is not finite (old ", model[i],
                           ", mean update ", mean_update[i], ", learning rate ", learning_rate,
                           "); the old model is kept"));
    }
  }
  return Internal("the new model was reported as not finite, yet every value is");
}

Status AddMomentum(std::span<const float> previous, std::span<const float> model, double momentum,
                   std::span<float> next) {
  if (previous.size() != next.size() || model.size() != next.size()) {
    return InvalidArgument(Join("the models have ", previous.size(), " and ", model.size(),
                                " values, the result ", next.size()));
  }
  if (!(momentum >= 0 && momentum < 1)) {
    return InvalidArgument(Join("server momentum is ", momentum, ", expected 0 to below 1"));
  }
  std::vector<float> step(next.size());
  std::transform(model.begin(), model.end(), previous.begin(), step.begin(), std::minus<>());
  std::vector<float> moved(next.begin(), next.end());
  if (momentum == 0) return OkStatus();
  return ApplyFedAvg(moved, step, momentum, next);
}

}  // namespace tutti::aggregate

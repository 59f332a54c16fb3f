#include "server/aggregate/adaptive.h"

#include <cmath>

#include "common/base/text.h"

namespace tutti::aggregate {
namespace {

bool IsShare(double value) { return value >= 0 && value < 1; }

Status CheckRule(const AdaptiveRule& rule) {
  if (!(rule.learning_rate > 0) || !std::isfinite(rule.learning_rate)) {
    return InvalidArgument(Join("server learning rate is ", rule.learning_rate,
                                ", expected a positive finite number"));
  }
  if (!IsShare(rule.beta1) || !IsShare(rule.beta2)) {
    return InvalidArgument(Join("server momentum is ", rule.beta1, " and second_moment_decay ",
                                rule.beta2, ", expected 0 to below 1"));
  }
  if (!(rule.tau > 0) || !std::isfinite(rule.tau)) {
    return InvalidArgument(Join("server adaptivity is ", rule.tau, ", expected above 0"));
  }
  return OkStatus();
}

double NextSquare(const AdaptiveRule& rule, double square, double gradient) {
  const double now = gradient * gradient;
  switch (rule.kind) {
    case Adaptive::kAdagrad:
      return square + now;
    case Adaptive::kAdam:
      return rule.beta2 * square + (1 - rule.beta2) * now;
    case Adaptive::kYogi: {
      const double sign = square > now ? 1.0 : (square < now ? -1.0 : 0.0);
      return square - (1 - rule.beta2) * now * sign;
    }
  }
  return square;
}

}  // namespace

Status ApplyAdaptive(const AdaptiveRule& rule, std::span<const float> model,
                     std::span<const float> mean_update, Moments& moments, std::span<float> next) {
  TUTTI_TRY(CheckRule(rule));
  const std::size_t values = model.size();
  if (mean_update.size() != values || next.size() != values) {
    return InvalidArgument(Join("update has ", mean_update.size(), " values and the result ",
                                next.size(), ", the model has ", values));
  }
  const bool first = moments.mean.empty() && moments.square.empty();
  if (!first && (moments.mean.size() != values || moments.square.size() != values)) {
    return InvalidArgument(Join("the server optimiser's state has ", moments.mean.size(), " and ",
                                moments.square.size(), " values, the model has ", values));
  }
  Moments after{std::vector<float>(values), std::vector<float>(values)};
  for (std::size_t i = 0; i < values; ++i) {
    const double gradient = mean_update[i];
    const double mean = rule.beta1 * (first ? 0.0 : moments.mean[i]) + (1 - rule.beta1) * gradient;
    const double square =
        NextSquare(rule, first ? rule.tau * rule.tau : moments.square[i], gradient);
    const double moved = model[i] + rule.learning_rate * mean / (std::sqrt(square) + rule.tau);
    after.mean[i] = static_cast<float>(mean);
    after.square[i] = static_cast<float>(square);
    next[i] = static_cast<float>(moved);
    if (!std::isfinite(next[i]) || !std::isfinite(after.square[i])) {
      return DataLoss(Join("value ", i, " of the new model is not finite (old ", model[i],
                           ", mean update ", mean_update[i], "); the old model is kept"));
    }
  }
  moments = std::move(after);
  return OkStatus();
}

}  // namespace tutti::aggregate

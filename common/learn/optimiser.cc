#include "common/learn/optimiser.h"

#include <cmath>

#include "common/base/text.h"

namespace tutti::learn {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr float kAdamEpsilon = 1e-8F;

}  // namespace

StatusOr<Optimiser> Optimiser::Create(const v1::TrainingSpec& training, std::size_t values) {
  Optimiser result;
  const std::string& name = training.optimiser();
  if (!name.empty() && name != "sgd" && name != "adam") {
    return InvalidArgument(
        Join("training.optimiser is \"", Escaped(name, 40), "\", expected sgd or adam"));
  }
  if (!(training.learning_rate() > 0) || !std::isfinite(training.learning_rate())) {
    return InvalidArgument(Join("training.learning_rate is ", training.learning_rate(),
                                ", expected a positive number"));
  }
  if (!(training.momentum() >= 0 && training.momentum() < 1)) {
    return InvalidArgument(
        Join("training.momentum is ", training.momentum(), ", expected at least 0 and below 1"));
  }
  if (!(training.weight_decay() >= 0) || !std::isfinite(training.weight_decay())) {
    return InvalidArgument(
        Join("training.weight_decay is ", training.weight_decay(), ", expected at least 0"));
  }
  result.adam_ = name == "adam";
  if (result.adam_ && training.momentum() != 0) {
    return InvalidArgument("training.momentum is set, but is read only with optimiser = \"sgd\"");
  }
  result.learning_rate_ = static_cast<float>(training.learning_rate());
  result.momentum_ = static_cast<float>(training.momentum());
  result.weight_decay_ = static_cast<float>(training.weight_decay());
  if (result.adam_ || result.momentum_ != 0) {
    result.first_.resize(values);
  }
  if (result.adam_) {
    result.second_.resize(values);
  }
  return result;
}

void Optimiser::Step(std::span<const float> gradient, std::span<float> weights) {
  ++steps_;
  if (adam_) {
    StepAdam(gradient, weights);
  } else {
    StepSgd(gradient, weights);
  }
}

void Optimiser::StepSgd(std::span<const float> gradient, std::span<float> weights) {
  const std::size_t values = weights.size();
  const float* const g = gradient.data();
  float* const w = weights.data();
  float* const buffer = first_.data();
  if (first_.empty()) {
    for (std::size_t i = 0; i < values; ++i) {
      w[i] -= learning_rate_ * (g[i] + weight_decay_ * w[i]);
    }
    return;
  }
  for (std::size_t i = 0; i < values; ++i) {
    buffer[i] = momentum_ * buffer[i] + g[i] + weight_decay_ * w[i];
    w[i] -= learning_rate_ * buffer[i];
  }
}

void Optimiser::StepAdam(std::span<const float> gradient, std::span<float> weights) {
  const std::size_t values = weights.size();
  const double step = static_cast<double>(steps_);
  const auto beta1 = static_cast<float>(kBeta1);
  const auto beta2 = static_cast<float>(kBeta2);
  const auto rate =
      static_cast<float>(static_cast<double>(learning_rate_) / (1.0 - std::pow(kBeta1, step)));
  const auto second_scale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(kBeta2, step)));
  for (std::size_t i = 0; i < values; ++i) {
    const float g = gradient[i] + weight_decay_ * weights[i];
    first_[i] = beta1 * first_[i] + (1.0F - beta1) * g;
    second_[i] = beta2 * second_[i] + (1.0F - beta2) * g * g;
    weights[i] -= rate * first_[i] / (std::sqrt(second_[i]) * second_scale + kAdamEpsilon);
  }
}

}  // namespace tutti::learn

#include "common/model/update_norm.h"

#include <cmath>

namespace tutti::model {

double L2Norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * value;
  }
  return std::sqrt(sum);
}

bool LimitNorm(std::span<float> values, double bound) {
  const double norm = L2Norm(values);
  if (!(norm > bound)) {
    return false;
  }
  const double factor = bound / norm;
  for (float& value : values) {
    value = static_cast<float>(value * factor);
  }
  return true;
}

}  // namespace tutti::model

#include "tests/bench/audit/decode.h"

// Before the others of LibTorch: see there.
#include "common/learn/aten.h"

#include <c10/core/InferenceMode.h>

#include <cmath>
#include <limits>

namespace tutti::audit {
namespace {

at::Tensor View(std::span<const float> values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
}

}  // namespace

std::vector<Decoded> Decode(std::span<const float> vectors, std::span<const Prior> priors,
                            std::span<const float> sum, double noise_stddev) {
  const c10::InferenceMode no_gradients;
  const auto rows = static_cast<std::int64_t>(priors.size());
  const auto values = static_cast<std::int64_t>(sum.size());
  const at::Tensor v = View(vectors, {rows, values});
  const at::Tensor products = at::mm(v, v.t()).to(at::kDouble);
  at::Tensor mean = at::empty({rows}, at::kDouble);
  at::Tensor variance = at::empty({rows}, at::kDouble);
  for (std::int64_t i = 0; i < rows; ++i) {
    mean.data_ptr<double>()[i] = priors[static_cast<std::size_t>(i)].mean;
    variance.data_ptr<double>()[i] = priors[static_cast<std::size_t>(i)].variance;
  }
  // With K = V V^T and D = diag(variance): estimate - mean = D (K D + noise^2)^-1 (V sum - K mean).
  const at::Tensor rest = at::mv(v, View(sum, {values})).to(at::kDouble) - at::mv(products, mean);
  const at::Tensor inverse = at::linalg_inv(
      products * variance + at::eye(rows, at::kDouble) * (noise_stddev * noise_stddev));
  const at::Tensor weights = variance.unsqueeze(1) * inverse;
  const at::Tensor moved = at::mv(weights, rest);
  const at::Tensor gain = (weights * products.t()).sum(1);  // of each amount in its own estimate
  std::vector<Decoded> decoded(priors.size());
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const double g = gain.data_ptr<double>()[i];
    decoded[i] = {.amount = priors[i].mean, .variance = std::numeric_limits<double>::infinity()};
    if (g > 1e-9 && g < 1) {
      decoded[i].amount += moved.data_ptr<double>()[i] / g;
      decoded[i].variance = priors[i].variance * (1 - g) / g;
    }
  }
  return decoded;
}

}  // namespace tutti::audit

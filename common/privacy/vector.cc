#include "common/privacy/vector.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/model/update_norm.h"
#include "common/secagg/noised_encoding.h"
#include "common/secagg/rotation.h"

namespace tutti::privacy {

StatusOr<secagg::EncodedUpdate> MakeVector(const Terms& terms, const secagg::RoundConfig& round,
                                           std::span<const float> update, double unit_scale,
                                           const NormCount& norms, SecureRng& rng) {
  const bool counts = terms.count_weight > 0;
  if (update.size() + (counts ? 1 : 0) != terms.shape.values) {
    return InvalidArgument(Join("the update has ", update.size(),
                                " values, the round has room for ",
                                terms.shape.values - (counts ? 1 : 0)));
  }
  if (!(unit_scale > 0 && std::isfinite(unit_scale))) {
    return InvalidArgument(
        Join("the update's scale is ", unit_scale, ", expected a number above 0"));
  }
  std::vector<float> values(terms.shape.padded_values());
  std::transform(update.begin(), update.end(), values.begin(),
                 [&](float value) { return static_cast<float>(value / unit_scale); });
  const std::span<float> own = std::span(values).first(update.size());
  NormCount counted = norms;
  if (terms.setting.unit == Unit::kClient) {
    counted = {.counted = 1, .below = model::LimitNorm(own, 1) ? 0U : 1U};
  }
  if (counts) {
    values[update.size()] =
        static_cast<float>(terms.count_weight * (static_cast<double>(counted.below) -
                                                 static_cast<double>(counted.counted) / 2));
  }
  TUTTI_TRY(secagg::Rotate(terms.shape, RotationSeed(round), values));
  return secagg::EncodeNoised(round, values, terms.encoding, rng);
}

StatusOr<std::vector<float>> Unrotate(const Terms& terms, const secagg::RoundConfig& round,
                                      std::vector<float> mean) {
  TUTTI_TRY(secagg::InverseRotate(terms.shape, RotationSeed(round), mean));
  mean.resize(terms.shape.values);
  return mean;
}

OpenedVector OpenVector(const v1::TaskSpec& task, const Terms& terms, std::vector<float> vector,
                        std::uint64_t survivors, double unit_scale) {
  TUTTI_CHECK(vector.size() == terms.shape.values);
  OpenedVector opened;
  if (terms.count_weight > 0) {
    const auto clients = static_cast<double>(survivors);
    const double norms =
        terms.setting.unit == Unit::kClient ? clients : clients * task.training().batch_size();
    opened.share_below =
        std::clamp(0.5 + vector.back() * clients / (terms.count_weight * norms), 0.0, 1.0);
    vector.pop_back();
  }
  for (float& value : vector) value = static_cast<float>(value * unit_scale);
  opened.update = std::move(vector);
  return opened;
}

}  // namespace tutti::privacy

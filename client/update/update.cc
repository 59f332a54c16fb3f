#include "client/update/update.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/guard.h"
#include "common/model/safetensors.h"
#include "common/model/update_norm.h"
#include "common/privacy/vector.h"
#include "common/secagg/encoding.h"
#include "common/strategy/packing.h"

namespace tutti::update {
namespace {

// The vector of settings whose noise is in the sum: plan.terms is there.
StatusOr<Encoded> EncodeWithNoise(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                                  const policy::Plan& plan, double clip_norm,
                                  const Trained& trained, SecureRng& rng) {
  const privacy::Terms& terms = *plan.terms;
  double scale = clip_norm;
  if (terms.setting.clips_examples()) {
    // The trainer divides by the examples it expects in a batch of this device.
    scale *= task.training().learning_rate() /
             (plan.sampling_rate * static_cast<double>(trained.examples));
  }
  std::vector<float> sample;
  std::span<const float> sent = trained.update;
  if (strategy::SamplesValues(task)) sent = sample = strategy::TakeSample(task, round, sent);
  TUTTI_ASSIGN(secagg::EncodedUpdate encoded,
               privacy::MakeVector(terms, round, sent, scale,
                                   {trained.norms_counted, trained.norms_below}, rng));
  return Encoded{.vector = std::move(encoded.vector),
                 .clipped_values = encoded.clipped_values,
                 .clip_limit = terms.encoding.clip_limit};
}

}  // namespace

LocalTask LocalTaskOf(const v1::TaskSpec& task, const policy::Plan& plan, double clip_norm) {
  LocalTask local{task.training(), task.privacy()};
  local.privacy.set_unit(plan.setting.clips_examples() ? "example" : "none");
  local.privacy.set_clip_norm(clip_norm);
  local.privacy.set_noise_multiplier(plan.setting.noise_in_trainer() ? plan.noise_multiplier : 0);
  if (plan.setting.clips_examples()) {
    // The ledger is charged for exactly this many steps.
    local.training.set_local_steps(static_cast<std::uint32_t>(plan.steps));
    local.training.set_local_epochs(0);
  }
  return local;
}

StatusOr<Encoded> EncodeWithoutNoise(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                                     std::span<const float> vector, std::uint64_t examples,
                                     SecureRng& rng) {
  std::uint64_t weight = 1;
  if (round.weight_bits > 0 && task.secure_aggregation().weighting() == "examples") {
    weight = std::clamp<std::uint64_t>(examples, 1,
                                       std::uint64_t{1} << std::min(round.weight_bits, 31U));
  }
  const std::vector<std::uint32_t> no_metrics(round.extra_lanes - 1);
  TUTTI_ASSIGN(
      secagg::EncodedUpdate encoded,
      secagg::EncodeUpdate(round, vector, static_cast<std::uint32_t>(weight), no_metrics, rng));
  return Encoded{.vector = std::move(encoded.vector),
                 .clipped_values = encoded.clipped_values,
                 .clip_limit = round.value_clip};
}

namespace {

void ScaleLate(const Trained& trained, const policy::Plan& plan, double clip_norm) {
  if (plan.setting.unit == privacy::Unit::kClient) model::LimitNorm(trained.update, clip_norm);
  for (float& value : trained.update) {
    value = static_cast<float>(value * trained.factor);
  }
}

StatusOr<Encoded> EncodeTrained(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                                const policy::Plan& plan, double clip_norm, const Trained& trained,
                                SecureRng& rng) {
  if (!model::AllFinite(trained.update) && Guard("model.update")) {
    return OutOfRange("the update is not finite");
  }
  const double norm_bound = task.robust().max_update_norm();
  const bool scaled_down = norm_bound > 0 && model::LimitNorm(trained.update, norm_bound);
  if (trained.factor < 1) ScaleLate(trained, plan, clip_norm);
  if (plan.terms) return EncodeWithNoise(round, task, plan, clip_norm, trained, rng);
  TUTTI_ASSIGN(std::vector<float> whole, strategy::MakeSumVector(task, trained.local));
  TUTTI_ASSIGN(const std::vector<float> vector, strategy::Pack(task, round, std::move(whole)));
  TUTTI_ASSIGN(Encoded encoded, EncodeWithoutNoise(round, task, vector, trained.examples, rng));
  encoded.scaled_down = scaled_down;
  return encoded;
}

}  // namespace

StatusOr<Encoded> Encode(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                         const policy::Plan& plan, double clip_norm, const Trained& trained,
                         SecureRng& rng) {
  static constexpr float kNoUpdate = 0;  // a ring has at least one value
  TUTTI_ASSIGN(Encoded encoded,
               plan.setting.update
                   ? EncodeTrained(round, task, plan, clip_norm, trained, rng)
                   : EncodeWithoutNoise(round, task, {&kNoUpdate, 1}, trained.examples, rng));
  if (!plan.counts) return encoded;
  TUTTI_ASSIGN(const std::vector<std::uint32_t> counts,
               privacy::NoisyCounts(*plan.counts, round, trained.counts, rng));
  std::copy(counts.begin(), counts.end(), encoded.vector.extras().begin() + 1);
  return encoded;
}

}  // namespace tutti::update

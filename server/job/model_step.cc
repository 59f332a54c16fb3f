#include "server/job/model_step.h"

#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "common/base/text.h"
#include "common/model/safetensors.h"
#include "common/model/update_norm.h"
#include "common/privacy/clip_norm.h"
#include "common/privacy/vector.h"
#include "common/secagg/encoding.h"
#include "common/strategy/packing.h"
#include "common/strategy/plateau.h"
#include "common/strategy/schedule.h"
#include "common/strategy/sum_vector.h"
#include "server/job/sum_privacy.h"

namespace tutti::server {
namespace {

// Of float32 norms and of a rotation (common/secagg/rotation.h), relative.
constexpr double kNormMargin = 1e-5;

// Each client scales its update to the bound before rounding it, so a mean that is longer by more
// than rounding can add holds a vector of somebody who did not.
Status CheckNorm(const secagg::RoundConfig& config, std::uint32_t survivors,
                 const secagg::DecodedSum& sum, double bound) {
  if (bound == 0) {
    return OkStatus();
  }
  const double step =
      config.value_clip / static_cast<double>((std::uint64_t{1} << (config.value_bits - 1)) - 1);
  const double error = survivors * std::ldexp(step, static_cast<int>(config.weight_bits)) /
                       static_cast<double>(sum.weight_sum);
  const double limit =
      bound * (1 + kNormMargin) + error * std::sqrt(static_cast<double>(config.values));
  const double norm = model::L2Norm(sum.mean);
  if (norm <= limit) {
    return OkStatus();
  }
  return DataLoss(Join("the mean update has norm ", norm, ", max_update_norm is ", bound,
                       " and rounding adds at most ", limit - bound,
                       "; a client sent a wrong vector, the sum is discarded"));
}

// The tree's promise is about running sums, so every round is divided by the same number: the
// cohort's size, whoever came.
void AddTreeNoise(const PreparedJob& job, const Secret32& key, std::uint64_t round,
                  std::uint64_t survivors, std::span<float> vector) {
  for (float& value : vector) value *= static_cast<float>(survivors);
  NoiseTree(key, job.terms->noise_multiplier).AddStep(round, vector);
  for (float& value : vector) value /= static_cast<float>(job.config.cohort().size());
}

// From a sum's mean in clip norms to an update, with the coordinator's noise where it adds some.
StatusOr<privacy::OpenedVector> OpenPrivately(const PreparedJob& job,
                                              const secagg::RoundConfig& config,
                                              std::uint64_t survivors, std::vector<float> mean,
                                              const CheckpointTerms& checkpoint,
                                              const NoiseSources& noise) {
  const privacy::Terms& terms = *job.terms;
  TUTTI_ASSIGN(std::vector<float> vector, privacy::Unrotate(terms, config, std::move(mean)));
  if (terms.setting.noise == privacy::NoiseSource::kCentral) {
    AddCentralNoise(terms.noise_multiplier, survivors, noise.rng, vector);
  }
  if (terms.setting.noise == privacy::NoiseSource::kTree) {
    TUTTI_CHECK(noise.tree_key != nullptr);
    AddTreeNoise(job, *noise.tree_key, config.round, survivors, vector);
  }
  const v1::TaskSpec task = strategy::TaskOfRound(job.task, config.round, checkpoint.rate_factor);
  return OpenVector(task, terms, std::move(vector), survivors,
                    privacy::UnitScale(task, checkpoint.clip_norm));
}

}  // namespace

StatusOr<CheckpointTerms> CheckpointTermsOf(const PreparedJob& job, BytesView model) {
  TUTTI_ASSIGN(const std::optional<double> clip_norm, privacy::ClipNormOf(model));
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(model));
  TUTTI_ASSIGN(const strategy::Plateau plateau, strategy::PlateauOf(metadata));
  return CheckpointTerms{.clip_norm = clip_norm.value_or(job.config.privacy().clip_norm()),
                         .rate_factor = plateau.factor};
}

StatusOr<GroupResult> OpenSum(const PreparedJob& job, const secagg::RoundConfig& config,
                              const secagg::RingVector& sum, std::uint32_t survivors,
                              const CheckpointTerms& terms, const NoiseSources& noise) {
  TUTTI_ASSIGN(secagg::DecodedSum decoded, secagg::DecodeSum(config, sum, survivors));
  TUTTI_TRY(CheckNorm(config, survivors, decoded, job.config.robust().max_update_norm()));
  GroupResult result{{std::move(decoded.mean), decoded.weight_sum}};
  if (job.counts) {
    TUTTI_ASSIGN(result.counts, privacy::OpenCounts(*job.counts, decoded.metrics, survivors));
  }
  if (!job.setting.update) {
    result.mean.values.clear();
  } else if (!job.terms) {
    const v1::TaskSpec task = strategy::TaskOfRound(job.task, config.round, terms.rate_factor);
    TUTTI_ASSIGN(std::vector<float> vector,
                 strategy::Unpack(task, config, std::move(result.mean.values)));
    TUTTI_ASSIGN(strategy::OpenedMean parts, strategy::OpenSumVector(task, std::move(vector)));
    result.mean.values = std::move(parts.update);
    result.mean_weight = parts.mean_weight;
    result.mean.values.insert(result.mean.values.end(), parts.control_change.begin(),
                              parts.control_change.end());
  } else {
    TUTTI_ASSIGN(
        privacy::OpenedVector vector,
        OpenPrivately(job, config, survivors, std::move(result.mean.values), terms, noise));
    TUTTI_ASSIGN(result.mean.values,
                 strategy::SpreadSample(job.task, config, std::move(vector.update)));
    result.share_below = vector.share_below;
  }
  return result;
}

}  // namespace tutti::server

#include "common/learn/local.h"

#include <vector>

#include "common/base/text.h"
#include "common/strategy/sum_vector.h"

namespace tutti::learn {

StatusOr<LocalTraining> TrainLocally(Network& network, const v1::TrainingSpec& training,
                                     const v1::PrivacySpec& privacy, const DataView& data,
                                     std::span<float> weights, std::span<float> extra,
                                     SecureRng& rng, const Progress& progress, TrainHooks hooks) {
  const strategy::Kept kept = strategy::KeptBy(training);
  const std::size_t needed = kept == strategy::Kept::kNothing ? 0 : weights.size();
  if (extra.size() != needed) {
    return InvalidArgument(Join("the strategy's vector has ", extra.size(), " values, expected ",
                                needed, " with correction = \"", training.correction(), "\""));
  }
  LocalTraining local;
  if (training.fairness_power() > 0 || training.agnostic_rate() > 0) {
    TUTTI_ASSIGN(const EvaluateResult before, Evaluate(network, data, weights, progress));
    local.initial_loss = before.loss;
  }
  const std::vector<float> received(weights.begin(), weights.end());
  hooks.terms = {};
  if (kept == strategy::Kept::kControl) hooks.terms.drift = extra;
  if (kept != strategy::Kept::kPersonal) hooks.terms.pull = training.proximal();
  TUTTI_ASSIGN(local.result,
               Train(network, training, privacy, data, weights, rng, progress, hooks));
  if (kept != strategy::Kept::kPersonal) return local;
  v1::PrivacySpec none;
  none.set_unit("none");
  hooks.terms = {.pull = training.proximal(), .anchor = received};
  std::vector<float> personal(extra.begin(), extra.end());
  TUTTI_TRY(Train(network, training, none, data, personal, rng, progress, hooks).status());
  for (std::size_t i = 0; i < personal.size(); ++i) extra[i] += personal[i];
  return local;
}

}  // namespace tutti::learn

#include "client/policy/noise_source.h"

#include "common/base/guard.h"

namespace tutti::policy {

Status CheckNoiseSource(const v1::PolicyConfig& policy, const v1::TrainerConfig& trainer) {
  if (trainer.insecure_noise_seed() == 0 || policy.allow_insecure_seed() ||
      !Guard("policy.insecure_seed")) {
    return OkStatus();
  }
  // The seed itself is as good as the noise: it is not repeated here.
  return PermissionDenied(
      "INSECURE_SEED: trainer.insecure_noise_seed is set, so noise could be predicted and no "
      "epsilon "
      "would hold; expected 0, or allow_insecure_seed = true in policy.toml for an experiment "
      "without real data");
}

}  // namespace tutti::policy

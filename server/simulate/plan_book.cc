#include "server/simulate/plan_book.h"

#include <algorithm>

#include "common/config/load.h"
#include "common/crypto/hash.h"

namespace tutti::simulate {
namespace {

// The most that a policy file can say.
v1::PolicyConfig GenerousPolicy(const v1::JobConfig& job) {
  v1::PolicyConfig policy;
  config::SetDefaults(policy);
  policy.set_max_epsilon_total(1000);
  policy.set_max_epsilon_round(1000);
  policy.set_delta(job.privacy().delta());
  policy.set_min_noise_multiplier(0);
  policy.set_max_clip_norm(1000000);
  policy.set_min_cohort(2);
  policy.set_allow_without_privacy(true);
  policy.set_max_rounds_per_day(1000000000);
  policy.set_max_model_values(1000000000000);
  policy.set_max_local_steps(1000000000);
  policy.set_require_malicious_level(false);
  for (const char* source : {"local", "distributed", "central", "tree"}) {
    policy.add_noise(source);
  }
  if (!job.model().torchscript_sha256().empty()) {
    policy.add_torchscript(job.model().torchscript_sha256());
  }
  return policy;
}

}  // namespace

PlanBook::PlanBook(const server::PreparedJob& job)
    : job_(job), policy_(GenerousPolicy(job.config)), round_(job.settings.config) {
  round_.job = job.config.name();
  round_.round = 1;
  round_.attempt = 1;
  round_.task_hash = crypto::Sha256(job.settings.task);
}

StatusOr<const policy::Plan*> PlanBook::For(std::uint64_t examples) {
  const auto known = plans_.find(examples);
  if (known != plans_.end()) {
    return &known->second;
  }
  TUTTI_ASSIGN(policy::Plan plan, policy::Decide(policy_, job_.task, round_, {examples}, {}));
  return &plans_.emplace(examples, std::move(plan)).first->second;
}

std::uint64_t PlanBook::Seen(const policy::Plan& plan, std::uint64_t examples) const {
  const v1::TrainingSpec& training = job_.task.training();
  return training.local_epochs() > 0 && !plan.setting.clips_examples()
             ? training.local_epochs() * examples
             : plan.steps * std::min<std::uint64_t>(training.batch_size(), examples);
}

}  // namespace tutti::simulate

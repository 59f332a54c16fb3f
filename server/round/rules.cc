#include "server/round/rules.h"

#include <algorithm>
#include <cmath>

#include "common/crypto/hash.h"

namespace tutti::round {

std::size_t MostInvited(const JobSettings& job) {
  return static_cast<std::size_t>(std::ceil(job.cohort_size * job.over_selection));
}

std::size_t FewestLeft(const JobSettings& job, std::size_t available,
                       std::uint32_t unspoiled_failures) {
  const auto reserve = static_cast<std::size_t>(
      std::ceil(static_cast<double>(ClientsNeeded(job)) * job.over_selection));
  const std::size_t spare = available - std::min(available, reserve);
  return available - (spare >> std::min(unspoiled_failures, 32U));
}

secagg::RoundConfig ConfigOf(const JobSettings& job, std::uint64_t round, std::uint64_t attempt,
                             std::uint32_t place, const Digest& model, SecureRng& rng) {
  secagg::RoundConfig config = job.config;
  config.job = job.name.value();
  config.round = round;
  config.attempt = attempt;
  config.group = place;
  config.model_hash = model;
  config.task_hash = crypto::Sha256(job.task);
  rng.Fill(config.server_nonce);
  return config;
}

std::uint32_t GoalOf(const JobSettings& job, std::uint32_t place) {
  const std::uint32_t rest = job.cohort_size % job.config.groups;
  return job.cohort_size / job.config.groups + (place < rest ? 1U : 0U);
}

}  // namespace tutti::round

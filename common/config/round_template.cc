#include "common/config/round_template.h"

#include <algorithm>
#include <cmath>

#include "common/measure/counts.h"
#include "common/privacy/counts.h"
#include "common/privacy/terms.h"
#include "common/strategy/packing.h"

namespace tutti::config {
namespace {

// Weights by examples count up to 2^16 of them; a client with more counts as 2^16.
constexpr std::uint32_t kExampleWeightBits = 16;

}  // namespace

v1::TaskSpec TaskOf(const v1::JobConfig& job, std::uint64_t values) {
  v1::TaskSpec task;
  task.set_job(job.name());
  task.set_rounds(job.rounds());
  *task.mutable_model() = job.model();
  *task.mutable_training() = job.training();
  *task.mutable_privacy() = job.privacy();
  *task.mutable_secure_aggregation() = job.secure_aggregation();
  task.set_values(values);
  *task.mutable_robust() = job.robust();
  task.set_kind(job.kind());
  *task.mutable_fairness() = job.fairness();
  *task.mutable_adversary() = job.adversary();
  if (job.kind() == "evaluate") *task.mutable_measure() = job.measure();
  *task.mutable_questions() = job.questions();
  task.set_validation(job.kind() == "train" && job.evaluation().by() == "clients");
  return task;
}

StatusOr<secagg::RoundConfig> RoundTemplate(const v1::JobConfig& job, std::uint64_t values) {
  const v1::SecureAggregationSpec& spec = job.secure_aggregation();
  const v1::TaskSpec task = TaskOf(job, values);
  secagg::RoundConfig round;
  round.level =
      spec.level() == "curious" ? secagg::ThreatLevel::kCurious : secagg::ThreatLevel::kMalicious;
  round.job = job.name();
  round.values = strategy::PackedValues(task);
  TUTTI_ASSIGN(const measure::CountLayout counts, measure::LayoutOf(task));
  round.extra_lanes = static_cast<std::uint32_t>(1 + counts.lanes());
  round.value_bits = spec.value_bits();
  round.value_clip = spec.value_clip();
  round.weight_bits = spec.weighting() == "examples" ? kExampleWeightBits : 0;
  round.min_cohort = job.cohort().min_clients();
  round.min_survivors = job.cohort().min_clients();
  round.groups = std::max<std::uint32_t>(job.robust().groups(), 1);  // 0: no such section
  const double invited = std::ceil(job.cohort().size() * job.cohort().over_selection());
  round.max_cohort = static_cast<std::uint32_t>(std::ceil(invited / round.groups));
  round.corrupt_fraction = spec.corrupt_fraction();
  round.dropout_fraction = spec.dropout_fraction();
  round.privacy_bits = spec.privacy_bits();
  round.liveness_bits = spec.liveness_bits();
  TUTTI_TRY(privacy::CountTermsOf(task, round).status());
  TUTTI_ASSIGN(const privacy::Setting setting, privacy::SettingOf(task));
  if (!setting.in_ring()) return round;
  return privacy::FitRing(task, std::move(round));
}

}  // namespace tutti::config

// The single rules of policy::Decide, in the order it asks them. Internal to client/policy.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/status.h"
#include "common/model/training_plan.h"
#include "common/privacy/setting.h"
#include "common/secagg/config.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::policy {

inline constexpr std::uint64_t kMaxTotalSteps = std::uint64_t{1} << 40;
inline constexpr std::uint64_t kMaxExamples = std::uint64_t{1} << 40;

Status Forbidden(std::string_view text);  // PermissionDenied "POLICY: ..."
Status Mismatch(std::string_view text);   // PermissionDenied "CONFIG_MISMATCH: ..."

// InvalidArgument for limits that no loaded policy has (an epsilon of 0, a delta of 1).
Status CheckPolicy(const v1::PolicyConfig& policy);
Status CheckJob(const v1::PolicyConfig& policy, const v1::TaskSpec& task);
// A model that may be trained here, can be built, and has the values the task states.
Status CheckModel(const v1::PolicyConfig& policy, const v1::TaskSpec& task);
Status CheckRoundMatchesTask(const v1::TaskSpec& task, const secagg::RoundConfig& round);
Status CheckCohort(const v1::PolicyConfig& policy, const secagg::RoundConfig& round);
Status CheckQuota(const v1::PolicyConfig& policy, std::uint64_t rounds_last_day);
Status CheckData(const v1::PolicyConfig& policy, std::uint64_t examples);
// What the task's privacy settings are, when the policy lets them.
StatusOr<privacy::Setting> SettingAllowed(const v1::PolicyConfig& policy, const v1::TaskSpec& task);
// What the trainer will do with the task: the same function decides it there, so what is charged is
// what is taken.
StatusOr<model::TrainingPlan> TrainingOfRound(const v1::PolicyConfig& policy,
                                              const v1::TaskSpec& task, bool sample_examples,
                                              std::uint64_t examples);

}  // namespace tutti::policy

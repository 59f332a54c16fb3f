// What clients count beside training: whether the job's privacy covers it. Internal to
// common/config. Thread safety: confined to the call.
#pragma once

#include "common/config/rules.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

// Of jobs that train: the counts of [fairness] and of evaluation.by = "clients".
void CheckTrainingCounts(const v1::JobConfig& job, Rules& rules);

}  // namespace tutti::config

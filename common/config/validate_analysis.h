// Rules of jobs with kind = "analyse". Internal to common/config. Thread safety: confined to the
// call.
#pragma once

#include "common/config/rules.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {

// Such a job has no model and trains nothing: what the schema says about the keys of [model] and
// [training] does not count. Before Rules are made.
void ForgetModel(LoadResult& result);

// What only such jobs have or must not have.
void CheckAnalysis(const v1::JobConfig& job, Rules& rules);

}  // namespace tutti::config

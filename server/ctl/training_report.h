// What `tutti job report` says of a job that trains: what its clients counted of the model that a
// round began with. Thread safety: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/status.h"
#include "common/measure/evaluation_figures.h"
#include "tutti/v1/task.pb.h"

namespace tutti::ctl {

// The groups of [fairness], the answers of evaluation.by = "clients", or both. InvalidArgument when
// the counts are not the job's.
StatusOr<std::string> TrainingText(const v1::TaskSpec& task, const measure::Opened& opened);
// FairnessJson, and {"validation": {"examples", "accuracy", "loss"[, "clients"]}}.
StatusOr<nlohmann::ordered_json> TrainingJson(const v1::TaskSpec& task,
                                              const measure::Opened& opened);

}  // namespace tutti::ctl

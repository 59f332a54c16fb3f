// What `tutti job report` says of a job that evaluates: tables for people, values for programs.
// Thread safety: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/status.h"
#include "common/measure/evaluation_figures.h"
#include "tutti/v1/task.pb.h"

namespace tutti::ctl {

// InvalidArgument where measure::ClassEvaluationOf and NumberEvaluationOf are.
StatusOr<std::string> EvaluationText(const v1::TaskSpec& task, const measure::Opened& opened);

// The table of clients by their own figure, which is called `figure` and shown times `factor`; or
// that noise hides it. As JSON null then.
std::string ClientsText(const measure::ClientSpread& clients, const std::string& figure,
                        double factor, int digits);
nlohmann::ordered_json ToJson(const measure::ClientSpread& clients, double factor);

// Every figure as {"value", "half_width", "sampling_stddev", "noise_stddev"}, null when it is not
// known.
StatusOr<nlohmann::ordered_json> EvaluationJson(const v1::TaskSpec& task,
                                                const measure::Opened& opened);

}  // namespace tutti::ctl

// What `tutti job report` prints of a job that analyses: tables for people, JSON for programs, and
// TOML for client.toml. Thread safety: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/status.h"
#include "common/measure/metadata.h"
#include "tutti/v1/task.pb.h"

namespace tutti::ctl {

// `task` is that of the job, `opened` what its newest checkpoint has (measure::CountsOf).

// All of these fail with InvalidArgument where measure::AnswersOf does.

// Tables and bars. Words of the job are escaped.
StatusOr<std::string> AnalysisText(const v1::TaskSpec& task, const measure::OpenedCounts& opened);

// A list with the answer to each question: {"value", "half_width"} of every figure that belongs to
// its statistic, null where not known; ends of quantiles outside the range are null.
StatusOr<nlohmann::ordered_json> AnalysisJson(const v1::TaskSpec& task,
                                              const measure::OpenedCounts& opened);

// A section [data.csv] for client.toml, so that every client prepares its rows alike: features are
// the columns of which moments (scaled by mean and standard deviation) or categories (one_hot) were
// asked, in the order of the questions. The column `label` is none of them, but the label; with an
// empty `label` its key is left to be filled in. Comments say what does not fit into keys, class
// weights among it. FailedPrecondition: no column has an answer that preparation can use.
StatusOr<std::string> AnalysisToml(const v1::TaskSpec& task, const measure::OpenedCounts& opened,
                                   const std::string& label);

}  // namespace tutti::ctl

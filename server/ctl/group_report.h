// What `tutti job report` says of groups of people: in jobs that evaluate, and of the counts of
// training with [fairness]. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "common/base/status.h"
#include "common/measure/evaluation_figures.h"
#include "common/measure/rates.h"
#include "tutti/v1/task.pb.h"

namespace tutti::ctl {

// Rates of each group listed; in jobs that evaluate also of the examples of none of them.
std::string RatesText(const v1::FairnessSpec& fairness, std::span<const measure::GroupRates> rates);
std::string GroupFiguresText(const v1::FairnessSpec& fairness,
                             const measure::ClassEvaluation& figures);

// Each criterion's gap, between whom, and what can be said of it.
std::string GapsText(const v1::FairnessSpec& fairness, std::span<const measure::GroupRates> rates);

// {"groups": {word: rates}, "gaps": {criterion: {...}}}
nlohmann::ordered_json FairnessJson(const v1::FairnessSpec& fairness,
                                    std::span<const measure::GroupRates> rates);

// Of a job that trains with [fairness], without the footnote; InvalidArgument when the counts are
// not its.
StatusOr<std::string> FairnessText(const v1::TaskSpec& task, const measure::Opened& opened);
StatusOr<nlohmann::ordered_json> FairnessJson(const v1::TaskSpec& task,
                                              const measure::Opened& opened);

}  // namespace tutti::ctl

// Jobs that analyse: what each client counts for the questions, and the answers that follow from
// the sums.
#pragma once

#include "common/measure/counts.h"

namespace tutti::measure {

StatusOr<CountLayout> AnalysisLayout(const v1::TaskSpec& task);

}  // namespace tutti::measure

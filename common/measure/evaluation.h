// Jobs that evaluate: what each client counts, and the figures that follow from the sums.
#pragma once

#include "common/measure/counts.h"

namespace tutti::measure {

StatusOr<CountLayout> EvaluationLayout(const v1::TaskSpec& task);

}  // namespace tutti::measure

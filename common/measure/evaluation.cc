#include "common/measure/evaluation.h"

namespace tutti::measure {

StatusOr<CountLayout> EvaluationLayout(const v1::TaskSpec&) {
  return Unimplemented("kind = \"evaluate\" is not possible yet");
}

}  // namespace tutti::measure

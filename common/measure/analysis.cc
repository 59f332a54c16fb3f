#include "common/measure/analysis.h"

namespace tutti::measure {

StatusOr<CountLayout> AnalysisLayout(const v1::TaskSpec&) {
  return Unimplemented("kind = \"analyse\" is not possible yet");
}

}  // namespace tutti::measure

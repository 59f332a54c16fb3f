#include "common/failpoint/failpoint.h"

namespace tutti {

void Failpoint(std::string_view /*name*/) {}

}  // namespace tutti

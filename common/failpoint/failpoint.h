// Named places where a test may end, stop or slow down a process, to prove that dying exactly there
// loses nothing. The product programs link tutti_failpoint_off, in which this is an empty function;
// only the test programs (tests/e2e) link tutti_failpoint_on, which reads TUTTI_FAILPOINT. Thread
// safety: safe.
#pragma once

#include <string_view>

namespace tutti {

void Failpoint(std::string_view name);

}  // namespace tutti

// Names for the checks that protect a device from a coordinator that lies. In every build but one
// Guard(...) is the constant true, and nothing of it is left in the program. With
// -DTUTTI_MUTANTS=ON the check that the environment variable TUTTI_MUTANT names is off, so that
// tests/mutants.sh can show that some test notices each of them missing.
//   if (n < config.min_cohort && Guard("roster.size")) return InvalidArgument(...);
// Thread safety: safe.
#pragma once

#include <string_view>

namespace tutti {

#ifdef TUTTI_MUTANTS
bool Guard(std::string_view name);
#else
consteval bool Guard(std::string_view /*name*/) { return true; }
#endif

}  // namespace tutti

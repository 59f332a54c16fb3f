#include "common/base/guard.h"

#include <cstdlib>

namespace tutti {

bool Guard(std::string_view name) {
  static const char* const mutant = std::getenv("TUTTI_MUTANT");
  return mutant == nullptr || name != mutant;
}

}  // namespace tutti

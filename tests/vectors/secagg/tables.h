// Vectors that are no rounds: neighbours and thresholds of large cohorts, roots of long vectors.
// Thread safety: pure functions.
#pragma once

#include "tests/vectors/secagg/json.h"

namespace tutti::vectors {

Json GraphTable();
Json ChunkTable();

}  // namespace tutti::vectors

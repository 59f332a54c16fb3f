// One round of real sessions with seeded randomness, and everything about it as JSON: what each
// party drew, what follows from it, every message, the sum. Thread safety: confined to one thread.
#pragma once

#include "tests/vectors/secagg/identities.h"
#include "tests/vectors/secagg/json.h"
#include "tests/vectors/secagg/scenario.h"

namespace tutti::vectors {

// Ends the process when the round does not go as the scenario says.
Json TranscriptOf(const Scenario& scenario, const std::vector<Identity>& identities);

}  // namespace tutti::vectors

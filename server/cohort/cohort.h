// Who takes part in a round: a uniformly random part of the clients that are there. Nobody is
// preferred, so how often a device is asked tells nothing about its data or speed; only suspects of
// spoiled sums sit out (suspicion.h). Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/base/rng.h"
#include "server/cohort/suspicion.h"

namespace tutti::cohort {

// Every order is equally likely (Fisher-Yates).
void Shuffle(std::vector<ClientId>& clients, SecureRng& rng);

// `count` different clients of `available` without those in `left_out`; all of them when fewer are
// left. Every set of that size is equally likely (partial Fisher-Yates). `available` holds each
// client once. The result is in ascending order: the order of the draw must not matter to anyone.
std::vector<ClientId> ChooseCohort(std::vector<ClientId> available,
                                   const std::set<ClientId>& left_out, std::size_t count,
                                   SecureRng& rng);

// `clients`, each once, dealt out at random to `groups` (at least 1) lists whose sizes differ by at
// most one, the longer ones first. Suspects are dealt first, those of the highest score before the
// others: each group gets an equal share of every score, so that each spoiled group divides the
// suspects. Every such split is equally likely. Each list is in ascending order.
std::vector<std::vector<ClientId>> SplitIntoGroups(std::vector<ClientId> clients,
                                                   std::size_t groups, const Suspicion& suspicion,
                                                   SecureRng& rng);

}  // namespace tutti::cohort

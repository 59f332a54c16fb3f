// Who takes part in a round: a uniformly random part of the clients that are there. Nobody is
// preferred, so how often a device is asked tells nothing about its data or speed. Thread safety:
// pure functions.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/base/rng.h"

namespace tutti::cohort {

// `count` different clients of `available` without those in `revoked`; all of them when fewer are
// left. Every set of that size is equally likely (partial Fisher-Yates). `available` holds each
// client once. The result is in ascending order: the order of the draw must not matter to anyone.
std::vector<ClientId> ChooseCohort(std::vector<ClientId> available,
                                   const std::set<ClientId>& revoked, std::size_t count,
                                   SecureRng& rng);

// `clients`, each once, dealt out at random to `groups` (at least 1) lists whose sizes differ by at
// most one, the longer ones first. Every such split is equally likely. Each list is in ascending
// order.
std::vector<std::vector<ClientId>> SplitIntoGroups(std::vector<ClientId> clients,
                                                   std::size_t groups, SecureRng& rng);

}  // namespace tutti::cohort

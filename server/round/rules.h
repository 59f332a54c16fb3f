// What a job's settings say of an attempt, whoever runs it: the round machine, or a simulation
// without keys and masks. Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/rng.h"
#include "common/secagg/config.h"
#include "server/round/core.h"

namespace tutti::round {

// Without so many clients no round begins.
inline std::size_t ClientsNeeded(const JobSettings& job) {
  return std::size_t{job.config.groups} * job.config.min_cohort;
}

// So many are invited, of those that are there.
std::size_t MostInvited(const JobSettings& job);

// Of `available` clients so many at least are left when suspects of spoiled sums sit out: after
// each failure that no spoiled sum explains half as many sit out; the smaller cohort may be why it
// failed.
std::size_t FewestLeft(const JobSettings& job, std::size_t available,
                       std::uint32_t unspoiled_failures);

// The configuration of the group at `place` of the attempt's; `rng` draws its nonce.
secagg::RoundConfig ConfigOf(const JobSettings& job, std::uint64_t round, std::uint64_t attempt,
                             std::uint32_t place, const Digest& model, SecureRng& rng);

// How many of that group's joins are waited for.
std::uint32_t GoalOf(const JobSettings& job, std::uint32_t place);

}  // namespace tutti::round

// FedBuff: an update that came too late for its round counts in a later one, less the later it is.
// What both sides compute of it. Thread safety: pure functions. Source: Nguyen et al. 2022
// (arXiv:2106.06639), algorithm 1, with the polynomial staleness weight of Xie et al. 2019
// (arXiv:1903.03934).
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

// training.max_staleness and staleness_power are in range and fit the other settings of the job.
// InvalidArgument names the key and what to change. Both sides check it.
Status CheckStaleness(const v1::TaskSpec& task);

// Whether an update trained for round `trained` (1, 2, ...) may still be sent in `round`: up to
// max_staleness rounds later, or in another attempt of its own round. Never when max_staleness is
// 0.
bool StillCounts(const v1::TrainingSpec& training, std::uint64_t trained, std::uint64_t round);

// What an update counts that comes so many rounds late, above 0 to 1:
// 1 / (1 + rounds_late)^staleness_power.
double StalenessFactor(const v1::TrainingSpec& training, std::uint64_t rounds_late);

}  // namespace tutti::strategy

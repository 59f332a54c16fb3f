// A whole job in one process on a virtual clock. Fast: cohorts, deadlines and dropouts by
// attempt.h, training, encoding, sums in the ring and the step of the model by the daemons' own
// code, without keys and masks. Secure: the daemons' cores (round::Core, session::Session) with
// real keys and masks. Both give the same models, byte for byte, for the same seed.
// Thread safety: confined to one thread, which shares the training with the learners' others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/status.h"
#include "server/simulate/client_round.h"
#include "server/simulate/report.h"

namespace tutti::simulate {

// What happens while it runs. Any may be empty; `training` and `stop` may be called from the
// learners' threads, one at a time.
struct Observer {
  std::function<void(const RoundReport&)> round{};
  std::function<void(const FailureReport&)> failure{};
  std::function<void(std::uint64_t round, std::size_t done, std::size_t expected)> training{};
  std::function<bool()> stop{};       // asked between trainings: true ends the simulation
  std::function<double()> seconds{};  // real time, monotonic; empty: reports have none
};

// `learners`: one a thread, at least one. The report of the rounds up to the last, or up to where
// it was stopped or the job failed (Report::ended); `course` holds the last model. Errors: what no
// client or coordinator would go on after.
StatusOr<Report> Simulate(const Scene& scene, bool secure,
                          std::vector<std::unique_ptr<Learner>>& learners, Course& course,
                          const Observer& observer);

}  // namespace tutti::simulate

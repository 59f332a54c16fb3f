// A simulated client's part of a round: train, attack if it is one of those, encode. The same
// vector whatever the order of the clients, the thread and the kind of simulation. Thread safety:
// pure function; the learner is confined.
#pragma once

#include <cstdint>

#include "client/policy/policy.h"
#include "common/base/status.h"
#include "common/secagg/config.h"
#include "common/secagg/ring.h"
#include "server/job/job_settings.h"
#include "server/simulate/course.h"
#include "server/simulate/held.h"
#include "server/simulate/learner.h"
#include "server/simulate/population.h"
#include "tutti/v1/simulation.pb.h"

namespace tutti::simulate {

// What all clients share. Borrowed.
struct Scene {
  const server::PreparedJob& job;
  const v1::SimulationConfig& world;
  const Population& population;
};

struct Contribution {
  secagg::RingVector vector;
  std::vector<float> keep;  // for the client's next round, once this one is published; or empty
  double loss = 0;
  double seconds = 0;                // of training
  std::uint64_t clipped_values = 0;  // outside secure_aggregation.value_clip
  std::uint64_t rounds_late = 0;     // since the round it was trained for
};

// `held`: what an earlier round left to be sent in this one; null: it trains the course's model.
// `kept`: of the client's rounds before, or empty (strategy::KeptBy). FailedPrecondition or
// OutOfRange: training diverged, the client sits out.
StatusOr<Contribution> Contribute(const Scene& scene, const Course& course,
                                  const policy::Plan& plan, const secagg::RoundConfig& config,
                                  std::size_t client, const Held* held, std::vector<float> kept,
                                  Learner& learner);

bool SitsOut(const Status& status);  // the errors above

}  // namespace tutti::simulate

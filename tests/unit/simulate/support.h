// A small job and learners that train nothing, for tests of the simulation without LibTorch. Thread
// safety: value types.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/simulate/simulation.h"

namespace tutti::simulate {

// A logistic job of 3 features and 2 classes; `sets`: "section.key=value" over it.
server::PreparedJob SmallJob(const std::vector<std::string>& sets = {});
v1::SimulationConfig SmallWorld(const std::vector<std::string>& sets = {});
// `examples` dealt out to the clients one after the other.
Population Dealt(const v1::SimulationConfig& world, std::size_t examples);

// Its update depends on the rows, the weights and the stream alone.
class FakeLearner final : public Learner {
 public:
  StatusOr<Learnt> Train(const Assignment& assignment, std::span<const float> weights,
                         SecureRng& rng) override;
  StatusOr<Score> Measure(std::size_t part, std::size_t parts,
                          std::span<const float> weights) override;
};

struct Outcome {
  Report report;
  Bytes model;
};
Outcome Run(const server::PreparedJob& job, const v1::SimulationConfig& world,
            const Population& population, bool secure, std::size_t threads = 1);

}  // namespace tutti::simulate

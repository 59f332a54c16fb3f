// The models of a simulated job, one after the other: what the coordinator's publisher does, with
// memory in place of its store. Thread safety: confined to one thread; reading is safe while
// nothing advances.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/strategy/mixture.h"
#include "server/job/model_step.h"
#include "server/job/next_model.h"

namespace tutti::simulate {

class Course {
 public:
  // `job` is borrowed. `warm_start`: a safetensors file, or empty.
  static StatusOr<Course> Start(const server::PreparedJob& job, BytesView warm_start);

  std::uint64_t rounds_done() const { return rounds_done_; }
  BytesView model() const { return model_; }  // a checkpoint file
  const Digest& sha256() const { return sha256_; }
  std::span<const float> weights() const { return values_.first(job_->layout.values); }
  // With what the job's strategy adds behind them (strategy::CheckpointLayout).
  std::span<const float> values() const { return values_; }
  const server::CheckpointTerms& terms() const { return terms_; }    // of the next round
  const std::vector<double>& tilts() const { return tilts_; }        // of the next round, or none
  const strategy::MixtureGrowth& growth() const { return growth_; }  // AFL: of the next round

  // One group's sum, opened with noise that follows from `seed` where the coordinator adds some.
  StatusOr<server::GroupResult> Open(const secagg::RoundConfig& config,
                                     const secagg::RingVector& sum, std::size_t survivors,
                                     std::uint64_t seed) const;
  // The next round's model, from at least one result of `clients` together; `population`: all that
  // might take part.
  Status Advance(std::vector<server::GroupResult> results, std::size_t clients,
                 std::size_t population);

  // What the last round's clients counted of the model it began with; none: nothing.
  const std::optional<server::ClientsVerdict>& verdict() const { return verdict_; }

  // What a later round needs to go on from this model, as a coordinator keeps it.
  struct Saved {
    Bytes model;
    Bytes optimiser_state;
  };
  Saved Save() const { return {model_, optimiser_state_}; }
  // The next round starts from that model; rounds keep counting.
  Status GoBack(const Saved& saved);

 private:
  explicit Course(const server::PreparedJob& job) : job_(&job) {}
  Status Take(Bytes model);

  const server::PreparedJob* job_;
  std::uint64_t rounds_done_ = 0;
  Bytes model_;
  std::span<const float> values_;  // in model_
  Bytes before_;
  Bytes optimiser_state_;
  Digest sha256_{};
  server::CheckpointTerms terms_;
  std::vector<double> tilts_;
  strategy::MixtureGrowth growth_;
  std::optional<server::ClientsVerdict> verdict_;
};

}  // namespace tutti::simulate

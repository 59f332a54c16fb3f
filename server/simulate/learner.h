// Who trains in a simulation: LibTorch in the program (learning.h), anything in tests. Thread
// safety: each learner is confined to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::simulate {

// One client's training in one round.
struct Assignment {
  std::span<const std::uint32_t> rows;  // of the data, ascending
  bool reversed_labels = false;         // label y is taken for classes - 1 - y, target t for -t
  const v1::TrainingSpec& training;
  const v1::PrivacySpec& privacy;
  std::span<const float> extra = {};         // update::StrategyState::extra
  const v1::TaskSpec* counted = nullptr;     // as TrainRequest.counted
  std::span<const double> tilts = {};        // as TrainRequest.tilts
  v1::AdversarySpec adversary = {};          // that it trains against
  std::vector<std::uint32_t> poisoned = {};  // places in `rows` that get the trigger and its class
};
struct Learnt {
  std::vector<float> update;
  std::vector<float> extra = {};  // as the training left it
  std::uint64_t steps = 1;
  double initial_loss = 0;          // as learn::LocalTraining
  std::uint64_t norms_counted = 0;  // as learn::TrainResult
  std::uint64_t norms_below = 0;
  std::vector<std::uint64_t> counts = {};  // as TrainReply.counts
  double loss = 0;                         // mean over the examples seen
  double seconds = 0;                      // training itself took
};
struct Score {
  std::uint64_t examples = 0;
  double loss = 0;      // mean over the examples
  double accuracy = 0;  // share of the examples; -1: a model that predicts numbers
  std::optional<double> robust_accuracy{};  // against the adversary models are measured with
  // Of the examples not of the trigger's class, those taken for it once they carry the trigger.
  std::uint64_t triggered = 0;
  std::uint64_t misled = 0;
  std::vector<std::uint64_t> outcomes = {};  // as measure::kOutcomes, of jobs that look at groups
};

class Learner {
 public:
  virtual ~Learner() = default;
  // FailedPrecondition: training diverged, and the client sits the round out.
  virtual StatusOr<Learnt> Train(const Assignment& assignment, std::span<const float> weights,
                                 SecureRng& rng) = 0;
  // Part `part` of `parts` of the examples that models are measured on. None when there are none.
  virtual StatusOr<Score> Measure(std::size_t part, std::size_t parts,
                                  std::span<const float> weights) = 0;
};

}  // namespace tutti::simulate

// The learning rate that falls when the model stops getting better: schedule = "plateau". The
// coordinator keeps count, from the securely summed losses of evaluation.by = "clients", and writes
// the factor into the checkpoint; devices take it from there. A rule of practice, of no paper.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/status.h"
#include "common/model/safetensors.h"
#include "tutti/v1/task.pb.h"

namespace tutti::strategy {

struct Plateau {
  double factor = 1;               // of training.learning_rate, in (0, 1]
  std::optional<double> best;      // the smallest loss so far
  std::uint64_t rounds_since = 0;  // rounds without a smaller one since it, or since it was lowered
  bool operator==(const Plateau&) const = default;
};

bool HasPlateau(const v1::TrainingSpec& training);

// The start when the checkpoint has none. InvalidArgument when what it has is none.
StatusOr<Plateau> PlateauOf(const model::Metadata& metadata);
void SetPlateau(const Plateau& plateau, model::Metadata& metadata);

// After a round in which that loss was measured. A loss that is not finite is no better.
Plateau NextPlateau(const v1::TrainingSpec& training, Plateau plateau, double loss);

}  // namespace tutti::strategy

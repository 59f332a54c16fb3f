// The newest update this device trained and has not sent (training.max_staleness): an update that
// was too late for its round is sent in a later one. In memory only, at most one: as long as the
// model. Thread safety: confined to the work thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/policy/policy.h"
#include "common/model/layout.h"
#include "common/secagg/config.h"
#include "common/strategy/sum_vector.h"
#include "tutti/v1/task.pb.h"
#include "tutti/v1/trainer.pb.h"

namespace tutti::client {

// What a strategy keeps for the next round, to be saved once this one is published with this device
// in its sum.
struct ToKeep {
  std::string job;
  strategy::Kept kept = strategy::Kept::kNothing;
  model::Layout layout;
  std::vector<float> values;
};

struct HeldUpdate {
  secagg::RoundConfig round;  // that it was trained for
  policy::Plan plan;          // by which it was trained
  double clip_norm = 0;
  v1::TrainReply trained;
  std::vector<float> update;  // of the parameters all train, as the trainer made it
  std::optional<ToKeep> keep;
};

class LastUpdate {
 public:
  // The one before is forgotten.
  void Hold(HeldUpdate update) { held_ = std::move(update); }
  void Forget() { held_.reset(); }
  bool empty() const { return !held_.has_value(); }

  // The update held for `round`, to be sent in place of a new training; null: train. It is of the
  // same task, no more than max_staleness rounds old, of the same model when it is of the same
  // round, and was trained by the very plan the owner allows now, so that the debit of `plan` is
  // its debit. What is null here is of no use later either and is forgotten.
  const HeldUpdate* For(const secagg::RoundConfig& round, const v1::TaskSpec& task,
                        const policy::Plan& plan);

 private:
  std::optional<HeldUpdate> held_;
};

}  // namespace tutti::client

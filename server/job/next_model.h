// From a round's combined mean to the next checkpoint: the server's optimiser, control variates,
// clip norm. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/measure/client_spread.h"
#include "server/job/job_settings.h"
#include "server/job/model_step.h"

namespace tutti::server {

// What the next model rests on beside the round's results and the current one.
struct RoundMemory {
  std::uint64_t round = 0;
  std::uint64_t clients = 0;       // in the sums of the results
  std::uint64_t population = 0;    // scaffold: trainers that might take part, at least `clients`
  BytesView before = {};           // momentum: the checkpoint before the current one; may be empty
  BytesView optimiser_state = {};  // NextModel::optimiser_state of the round before; may be empty
};

// How the model that a round began with does on the clients' validation examples
// (evaluation.by = "clients").
struct ClientsVerdict {
  std::uint64_t round = 0;     // that made this model; 0: it is the first one
  std::uint64_t examples = 0;  // as counted
  double loss = 0;             // mean, at least 0
  double accuracy = 0;         // in [0, 1]; -1: a model that predicts numbers
  // Jobs without privacy: the figure of the client the model serves worst, to a bin: accuracy, or
  // mean absolute error in the target's unit.
  std::optional<measure::Within> worst_client = {};
};

struct NextModel {
  Bytes checkpoint;
  Bytes optimiser_state;  // empty: the optimiser has none; the checkpoint's metadata has its hash
  std::optional<ClientsVerdict> verdict = {};  // none too when noise hides how many examples it is
};

// `checkpoint` is the current one. At least one result. InvalidArgument: something does not fit the
// job; DataLoss: the next model would not be finite.
StatusOr<NextModel> MakeNextModel(const PreparedJob& job, BytesView checkpoint,
                                  const RoundMemory& memory, std::vector<GroupResult> results);

// Whether the job's optimiser has a state of its own from round to round.
bool HasOptimiserState(const v1::JobConfig& job);

// `state` if it is the one that belongs to `checkpoint`, else empty.
BytesView StateOf(BytesView checkpoint, BytesView state);

}  // namespace tutti::server

// The client's work: fetch a model, have the trainer train or evaluate it, encode the update for
// the ring. Thread safety: confined to the work thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "client/held_update.h"
#include "client/policy/policy.h"
#include "client/rpc/link.h"
#include "client/script_folder.h"
#include "client/store/job_memory.h"
#include "client/trainer/supervisor.h"
#include "client/update/strategy_state.h"
#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/secagg/config.h"
#include "common/secagg/ring.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::client {

// A model to fetch: what an offer names.
struct ModelRef {
  Digest sha256{};
  std::uint64_t bytes = 0;
};

struct FetchedModel {
  std::string script;          // its TorchScript file on this device; empty: it is made of layers
  model::Layout layout;        // of the model alone
  std::vector<float> weights;  // of strategy::CheckpointLayout
  std::optional<double> clip_norm;  // of jobs with adaptive clipping
  std::vector<double> tilts;        // of jobs with [fairness]; empty in the first round
  strategy::MixtureGrowth growth;   // of jobs with training.agnostic_rate
  double rate_factor = 1;           // of jobs with training.schedule = "plateau"
};

struct Prepared {
  v1::TrainReply trained;
  secagg::RingVector encoded;                // not yet masked
  std::optional<ToKeep> keep;                // for the next round, once this one is published
  std::optional<std::uint64_t> rounds_late;  // of an update that was held back; none: a new one
};

// Why a task failed: `code` and `reason` may go to the coordinator, so they tell nothing of the
// data; `detail` is for this device's log.
struct Failure {
  std::string code;
  std::string reason;
  Status detail;
};
template <typename T>
struct Attempted {
  std::optional<T> value;
  Failure failure;
};

class Learner {
 public:
  // `link`, `rng` and `memory` are borrowed.
  Learner(const v1::ClientConfig& config, const v1::PolicyConfig& policy, client_rpc::Link& link,
          SecureRng& rng, const client_store::JobMemory& memory);

  // Examples this client has for the task: for models of its input shape, or rows its questions are
  // about. Asked of the trainer once.
  Attempted<std::uint64_t> CountExamples(const v1::TaskSpec& task, std::stop_token stop);
  // Trains, or takes the update that is held back where it still counts. A new update of a job with
  // training.max_staleness is held until Sent.
  Attempted<Prepared> Prepare(const ModelRef& model, const v1::TaskSpec& task,
                              const secagg::RoundConfig& round, const policy::Plan& plan,
                              std::stop_token stop);
  void Sent() { last_.Forget(); }  // the update held back may have left the device
  Attempted<v1::EvaluateReply> Evaluate(const ModelRef& model, const v1::TaskSpec& task,
                                        std::stop_token stop);

  trainer::Supervisor& supervisor() { return supervisor_; }

 private:
  // The file of a torchscript model on this device; empty for models made of layers.
  Attempted<std::string> ScriptFile(const v1::ModelSpec& model);
  // What the trainer counts for a job that does not train. `weights`: of its model, or empty.
  Attempted<v1::CountReply> Count(const v1::TaskSpec& task, const FetchedModel& model,
                                  std::stop_token stop);
  Attempted<Prepared> PrepareCounts(const ModelRef& model, const v1::TaskSpec& task,
                                    const secagg::RoundConfig& round, const policy::Plan& plan,
                                    std::stop_token stop);
  Attempted<Prepared> PrepareHeld(const HeldUpdate& held, const v1::TaskSpec& task,
                                  const secagg::RoundConfig& round, const policy::Plan& plan);
  Attempted<FetchedModel> Fetch(const ModelRef& model, const v1::TaskSpec& task,
                                std::stop_token stop);

  v1::DataConfig data_;
  v1::PolicyConfig policy_;
  std::uint64_t insecure_noise_seed_;  // 0: off
  client_rpc::Link& link_;
  SecureRng& rng_;
  const client_store::JobMemory& memory_;
  trainer::Supervisor supervisor_;
  ScriptFolder scripts_;
  LastUpdate last_;
  std::map<std::string, std::uint64_t> examples_;  // by input shape and classes
};

}  // namespace tutti::client

// From a job's configuration to what the round machine, the clients and the server optimiser need.
// Thread safety: value types and pure functions.
#pragma once

#include "common/base/status.h"
#include "common/model/layout.h"
#include "common/privacy/counts.h"
#include "common/privacy/setting.h"
#include "common/privacy/terms.h"
#include "server/aggregate/combine.h"
#include "server/round/core.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/task.pb.h"

namespace tutti::server {

struct PreparedJob {
  v1::JobConfig config;
  v1::TaskSpec task;
  std::string identity;      // tells it from an earlier job of the same name: when it was submitted
  privacy::Setting setting;  // of the task
  std::optional<privacy::Terms> terms;        // settings with in_ring()
  std::optional<privacy::CountTerms> counts;  // of jobs whose clients count
  model::Layout layout;                       // of the model
  model::Layout checkpoint;  // of what clients are sent: the model, and what its strategy needs
  round::JobSettings settings;
  aggregate::CombinationRule rule;  // from the groups' means to one update
  std::string task_json;            // for manifests
};

// The job as it runs: a torchscript model without a layout gets that of its first weights (a
// safetensors file). Other jobs are returned as they are.
StatusOr<v1::JobConfig> CompletedJob(v1::JobConfig config, BytesView warm_start);

// InvalidArgument lists everything that is wrong with the job.
StatusOr<PreparedJob> PrepareJob(const v1::JobConfig& config);

// The first weights, as a checkpoint file: seeded ones, or those the warm start (a safetensors
// file) has for this model, see model/warm_start.h.
StatusOr<Bytes> FirstCheckpoint(const PreparedJob& job, BytesView warm_start);

}  // namespace tutti::server

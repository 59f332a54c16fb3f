// A whole job in one process, without network or secure aggregation: each round every client trains
// from the model by turns, the mean of their updates moves it. What the demo's job files are tuned
// with. Thread safety: confined to one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/data/dataset.h"
#include "common/base/status.h"
#include "tutti/v1/config.pb.h"

namespace tutti::bench {

struct RoundReport {
  std::uint32_t round = 0;
  double accuracy = 0;
  double test_loss = 0;
  double train_loss = 0;        // mean over clients
  double clipped_fraction = 0;  // mean over clients
  float max_abs_update = 0;     // over clients and values
  double cpu_seconds = 0;       // training so far, all clients
};

struct JobReport {
  double noise_multiplier = 0;
  double epsilon = 0;       // 0 without privacy
  std::uint64_t steps = 0;  // of one client, all rounds
  std::uint64_t values = 0;
  std::vector<RoundReport> rounds;
  std::vector<float> weights{};  // after the last
};

// Runs `job` over the clients' data and measures on `test`. Batches and noise come from the
// system's randomness: two runs differ. The noise is calibrated to the first client's number of
// examples.
StatusOr<JobReport> RunJob(const v1::JobConfig& job, const std::vector<data::Dataset>& clients,
                           const data::Dataset& test,
                           const std::function<void(const RoundReport&)>& each);

StatusOr<data::Dataset> LoadImages(const std::string& folder, const std::string& prefix,
                                   const v1::ModelSpec& model, std::uint32_t index,
                                   std::uint32_t count);

double CpuSeconds();

}  // namespace tutti::bench

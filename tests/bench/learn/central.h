// A job on one data set in this process: all its rounds as one training, with the trainer's own
// code and noise. What the figures of accuracy against epsilon are made with (docs/privacy.md).
// Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/data/dataset.h"
#include "common/base/status.h"
#include "common/dp/calibration.h"
#include "common/learn/train.h"
#include "tutti/v1/config.pb.h"

namespace tutti::bench {

struct CentralReport {
  std::uint64_t values = 0;    // parameters of the model
  std::uint64_t examples = 0;  // trained on
  std::uint64_t steps = 0;
  double sampling_rate = 0;      // 0 without privacy
  double noise_multiplier = 0;   // 0 without privacy
  double epsilon = 0;            // of the whole training, at the job's delta; 0 without privacy
  std::vector<double> accuracy;  // on the test set, after each pass over the data and at the end
  double feature_seconds = 0;    // for model.features of both sets
  double train_seconds = 0;      // without measuring accuracy
  std::string method;            // as learn::TrainResult
  std::vector<float> weights{};  // trained
};

// Called after each measurement.
using AccuracySeen = std::function<void(std::uint64_t step, std::uint64_t steps, double accuracy)>;

// Trains on `train`, which gives up its examples, and measures on `test`. The noise is the job's,
// or calibrated to its target_epsilon by `method`. Batches and noise come from the system's
// generator: two runs differ.
StatusOr<CentralReport> TrainCentrally(const v1::JobConfig& job, data::Dataset train,
                                       data::Dataset test, dp::Method method,
                                       const AccuracySeen& seen);

// All of it, as training and measuring take it.
learn::DataView ViewOf(const data::Dataset& data);

// The last `count` examples, which `data` loses. InvalidArgument when that are all of them or more.
StatusOr<data::Dataset> HoldOut(data::Dataset& data, std::size_t count);

}  // namespace tutti::bench

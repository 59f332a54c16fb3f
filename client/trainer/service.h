// What tutti-trainer does with a request: load the data and compute the model's fixed features of
// it (both kept while the configuration stays the same), train, evaluate. Thread safety: confined
// to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/data/dataset.h"
#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/crypto/random.h"
#include "common/learn/runtime.h"
#include "common/learn/train.h"
#include "tutti/v1/trainer.pb.h"

namespace tutti::trainer {

class Service {
 public:
  using ProgressSink = std::function<void(const v1::TrainerProgress&)>;

  Service(learn::RuntimeReport runtime, SecureRng& rng) : runtime_(std::move(runtime)), rng_(rng) {}

  // The reply to `request`, errors included; never throws. `memory_fd` is the memfd passed with it,
  // or -1; it stays the caller's. `progress` is called between the steps.
  v1::TrainerReply Answer(const v1::TrainerRequest& request, int memory_fd,
                          const ProgressSink& progress);

 private:
  StatusOr<v1::TrainerReply> Dispatch(const v1::TrainerRequest& request, int memory_fd,
                                      const ProgressSink& progress);
  StatusOr<v1::DescribeReply> Describe(const v1::DescribeRequest& request);
  StatusOr<v1::TrainReply> Train(const v1::TrainRequest& request, int memory_fd,
                                 const ProgressSink& progress);
  StatusOr<v1::EvaluateReply> Evaluate(const v1::EvaluateRequest& request, int memory_fd,
                                       const ProgressSink& progress);
  StatusOr<v1::CountReply> Count(const v1::CountRequest& request, int memory_fd,
                                 const ProgressSink& progress);
  // What draws batches and noise: the generator given, or with trainer.insecure_noise_seed a stream
  // that goes on from request to request.
  SecureRng& RandomnessFor(std::uint64_t insecure_noise_seed);
  StatusOr<const data::Dataset*> DataOf(const v1::DataConfig& config, const v1::ModelSpec& model);
  // What the model's layers read of that data: to train on, or to measure a model with. `groups`:
  // of all examples, or empty.
  enum class Use { kTraining, kMeasuring };
  StatusOr<learn::DataView> InputsOf(const v1::DataConfig& config, const v1::ModelSpec& model,
                                     Use use, std::span<const std::uint32_t> groups,
                                     const ProgressSink& progress);

  learn::RuntimeReport runtime_;
  SecureRng& rng_;
  std::optional<crypto::AesCtrStream> insecure_stream_;
  std::uint64_t insecure_seed_ = 0;  // of insecure_stream_
  data::Dataset data_;
  std::string data_key_;  // what data_ was loaded for; empty: nothing is loaded
  std::vector<float> features_;
  std::string features_key_;  // what features_ was computed for; empty: nothing is computed
};

}  // namespace tutti::trainer

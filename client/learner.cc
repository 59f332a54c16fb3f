#include "client/learner.h"

#include <algorithm>

#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "common/model/update_norm.h"
#include "common/secagg/encoding.h"

namespace tutti::client {
namespace {

// What the trainer or the readers say may hold cells and paths of the owner's data: it stays in
// this device's log.
Failure TrainerFailure(const Status& status, std::string_view task) {
  return {.code = "TRAINER_FAILED",
          .reason =
              Join(task, " failed on the device (", CodeName(status.code()), "); its log says why"),
          .detail = status};
}

std::string ShapeKey(const v1::ModelSpec& model) {
  std::string key;
  for (const std::uint32_t size : model.input_shape()) key += Join(size, "x");
  return key + Join("/", model.classes());
}

}  // namespace

Learner::Learner(const v1::ClientConfig& config, client_rpc::Link& link, SecureRng& rng)
    : data_(config.data()),
      insecure_noise_seed_(config.trainer().insecure_noise_seed()),
      link_(link),
      rng_(rng),
      supervisor_(config.trainer()) {}

Attempted<std::uint64_t> Learner::CountExamples(const v1::ModelSpec& model, std::stop_token stop) {
  const std::string key = ShapeKey(model);
  if (const auto known = examples_.find(key); known != examples_.end()) return {known->second, {}};
  v1::DescribeRequest request;
  *request.mutable_data() = data_;
  *request.mutable_model() = model;
  const StatusOr<v1::DescribeReply> described =
      supervisor_.Describe(std::move(request), std::move(stop));
  if (!described.ok()) {
    Failure failure = TrainerFailure(described.status(), "reading the data");
    if (described.status().code() != StatusCode::kUnavailable) failure.code = "DATA";
    return {std::nullopt, std::move(failure)};
  }
  for (const std::string& warning : described->warnings())
    log::Warn("trainer_warning", {{"text", warning}});
  log::Info("data_described", {{"examples", described->examples()}, {"blas", described->blas()}});
  if (described->examples() < data_.min_examples()) {
    return {
        std::nullopt,
        {.code = "DATA",
         .reason = "fewer examples than data.min_examples",
         .detail = FailedPrecondition(Join(
             described->examples(), " examples, data.min_examples is ", data_.min_examples()))}};
  }
  examples_[key] = described->examples();
  return {described->examples(), {}};
}

Attempted<std::vector<float>> Learner::FetchWeights(const ModelRef& model,
                                                    const v1::ModelSpec& spec,
                                                    std::stop_token stop) {
  const auto refuse = [](std::string code, std::string reason, Status detail) {
    return Attempted<std::vector<float>>{
        std::nullopt,
        {.code = std::move(code), .reason = std::move(reason), .detail = std::move(detail)}};
  };
  const StatusOr<model::Layout> layout = model::LayoutOf(spec);
  if (!layout.ok()) return refuse("POLICY", "the model cannot be built", layout.status());
  const std::uint64_t least = layout->values * sizeof(float);
  const std::uint64_t most = least + 8 + model::kMaxSafetensorsHeader;
  if ((model.bytes < least || model.bytes > most) && Guard("model.announced")) {
    return refuse(
        "MODEL_MISMATCH",
        Join("the model is announced with ", model.bytes, " bytes, its layout needs ", least),
        InvalidArgument("impossible model size"));
  }
  StatusOr<Bytes> file = link_.FetchModel(model.sha256, model.bytes, std::move(stop));
  if (!file.ok())
    return refuse("MODEL_MISMATCH", "the model could not be fetched as announced", file.status());
  StatusOr<std::vector<float>> weights = model::ReadSafetensors(*file, *layout);
  if (!weights.ok())
    return refuse("MODEL_MISMATCH", "the model's weights are not usable", weights.status());
  return {*std::move(weights), {}};
}

Attempted<Prepared> Learner::Prepare(const ModelRef& model, const v1::TaskSpec& task,
                                     const secagg::RoundConfig& round, const policy::Plan& plan,
                                     std::stop_token stop) {
  Attempted<std::vector<float>> weights = FetchWeights(model, task.model(), stop);
  if (!weights.value) return {std::nullopt, std::move(weights.failure)};
  Failpoint("client.model_fetched");
  v1::TrainRequest request;
  *request.mutable_data() = data_;
  *request.mutable_model() = task.model();
  *request.mutable_training() = task.training();
  *request.mutable_privacy() = task.privacy();
  request.mutable_privacy()->set_unit(plan.with_privacy ? "example" : "none");
  request.mutable_privacy()->set_noise_multiplier(plan.noise_multiplier);
  if (plan.with_privacy) {
    // The ledger is charged for exactly this many noisy steps.
    request.mutable_training()->set_local_steps(static_cast<std::uint32_t>(plan.steps));
    request.mutable_training()->set_local_epochs(0);
  }
  request.set_insecure_noise_seed(insecure_noise_seed_);
  StatusOr<trainer::Trained> trained = supervisor_.Train(std::move(request), *weights.value, stop);
  weights.value.reset();
  if (!trained.ok()) return {std::nullopt, TrainerFailure(trained.status(), "training")};
  Failpoint("client.trained");
  if (!model::AllFinite(trained->update) && Guard("model.update")) {
    return {
        std::nullopt,
        {.code = "UPDATE_NOT_FINITE",
         .reason =
             "training diverged: the update holds NaN or infinity; lower training.learning_rate",
         .detail = OutOfRange("the update is not finite")}};
  }
  const double norm_bound = task.robust().max_update_norm();
  if (norm_bound > 0 && model::LimitNorm(trained->update, norm_bound)) {
    log::Warn("update_scaled_down", {{"max_update_norm", norm_bound}});
  }
  StatusOr<secagg::RingVector> encoded =
      EncodeForRing(round, task, trained->update, trained->reply.examples(), rng_);
  if (!encoded.ok()) {
    return {std::nullopt,
            {.code = "ENCODING_FAILED",
             .reason = TextOf(encoded.status()),
             .detail = encoded.status()}};
  }
  examples_[ShapeKey(task.model())] = trained->reply.examples();
  return {Prepared{.trained = std::move(trained->reply), .encoded = *std::move(encoded)}, {}};
}

Attempted<v1::EvaluateReply> Learner::Evaluate(const ModelRef& model, const v1::TaskSpec& task,
                                               std::stop_token stop) {
  Attempted<std::vector<float>> weights = FetchWeights(model, task.model(), stop);
  if (!weights.value) return {std::nullopt, std::move(weights.failure)};
  v1::EvaluateRequest request;
  *request.mutable_data() = data_;
  *request.mutable_model() = task.model();
  StatusOr<v1::EvaluateReply> reply =
      supervisor_.Evaluate(std::move(request), *weights.value, stop);
  if (!reply.ok()) return {std::nullopt, TrainerFailure(reply.status(), "evaluation")};
  return {*std::move(reply), {}};
}

StatusOr<secagg::RingVector> EncodeForRing(const secagg::RoundConfig& round,
                                           const v1::TaskSpec& task, std::span<const float> update,
                                           std::uint64_t examples, SecureRng& rng) {
  std::uint64_t weight = 1;
  if (round.weight_bits > 0 && task.secure_aggregation().weighting() == "examples") {
    weight = std::clamp<std::uint64_t>(examples, 1,
                                       std::uint64_t{1} << std::min(round.weight_bits, 31U));
  }
  const std::vector<std::uint32_t> no_metrics(round.extra_lanes - 1);
  TUTTI_ASSIGN(
      secagg::EncodedUpdate encoded,
      secagg::EncodeUpdate(round, update, static_cast<std::uint32_t>(weight), no_metrics, rng));
  if (encoded.clipped_values > update.size() / 100) {
    log::Warn("update_clipped", {{"values", encoded.clipped_values},
                                 {"of", update.size()},
                                 {"value_clip", round.value_clip}});
  }
  return std::move(encoded.vector);
}

}  // namespace tutti::client

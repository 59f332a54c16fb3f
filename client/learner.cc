#include "client/learner.h"

#include "client/update/update.h"
#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/measure/metadata.h"
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "common/privacy/clip_norm.h"
#include "common/protocol/messages.h"
#include "common/strategy/plateau.h"
#include "common/strategy/schedule.h"
#include "common/strategy/staleness.h"
#include "common/strategy/sum_vector.h"

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

// Of reading the owner's data: while it stays as it is, nothing changes by asking again.
Failure DataFailure(Failure failure) {
  if (failure.detail.code() != StatusCode::kUnavailable) failure.code = "DATA";
  return failure;
}

Attempted<std::uint64_t> IfEnough(std::uint64_t examples, std::uint64_t least) {
  if (examples >= least) return {examples, {}};
  return {
      std::nullopt,
      {.code = "DATA",
       .reason = "fewer examples than data.min_examples",
       .detail = FailedPrecondition(Join(examples, " examples, data.min_examples is ", least))}};
}

// Its text may hold a count of this device.
Failure EncodingFailure(const Status& status) {
  if (status.code() == StatusCode::kOutOfRange) {
    return {.code = "UPDATE_NOT_FINITE",
            .reason =
                "training diverged: the update holds NaN or infinity; lower "
                "training.learning_rate",
            .detail = status};
  }
  return {.code = "ENCODING_FAILED",
          .reason = status.code() == StatusCode::kFailedPrecondition
                        ? "what was counted does not fit; the device's log says more"
                        : TextOf(status),
          .detail = status};
}

std::string ShapeKey(const v1::ModelSpec& model) {
  std::string key;
  for (const std::uint32_t size : model.input_shape()) key += Join(size, "x");
  // Where clusters are found the label decides about no row.
  return key + Join("/", model.classes(), model::HasCentres(model) ? " clusters" : "");
}

// With adaptive clipping the model brings the clip norm of the round.
double ClipNormFor(const v1::TaskSpec& task, std::optional<double> of_model) {
  const bool adaptive = task.privacy().target_quantile() > 0;
  return adaptive && of_model ? *of_model : task.privacy().clip_norm();
}

void WarnOfEncoding(const update::Encoded& encoded, std::size_t values, double max_update_norm) {
  if (encoded.scaled_down) {
    log::Warn("update_scaled_down", {{"max_update_norm", max_update_norm}});
  }
  if (encoded.clipped_values > values / 100) {
    log::Warn(
        "update_clipped",
        {{"values", encoded.clipped_values}, {"of", values}, {"value_clip", encoded.clip_limit}});
  }
}

StatusOr<strategy::MixtureGrowth> GrowthOf(BytesView checkpoint) {
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(checkpoint));
  return strategy::MixtureGrowthOf(metadata);
}

StatusOr<double> RateFactorOf(const v1::TaskSpec& task, BytesView checkpoint) {
  if (!strategy::HasPlateau(task.training())) return 1.0;
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(checkpoint));
  TUTTI_ASSIGN(const strategy::Plateau plateau, strategy::PlateauOf(metadata));
  return plateau.factor;
}

// In the first round of a job nothing of an earlier one of that name counts. A memory that cannot
// be read counts as none.
std::vector<float> Recall(const client_store::JobMemory& memory, const v1::TaskSpec& task,
                          std::uint64_t round, const model::Layout& layout) {
  const strategy::Kept kept = strategy::KeptBy(task);
  if (kept == strategy::Kept::kNothing || round <= 1) return {};
  StatusOr<std::vector<float>> values =
      memory.Load(task.job(), kept, update::KeptLayout(task, layout));
  if (values.ok()) return *std::move(values);
  if (values.status().code() != StatusCode::kNotFound) {
    log::Warn("job_memory_lost", {{"job", task.job()}, {"reason", values.status()}});
  }
  return {};
}

}  // namespace

Learner::Learner(const v1::ClientConfig& config, const v1::PolicyConfig& policy,
                 client_rpc::Link& link, SecureRng& rng, const client_store::JobMemory& memory)
    : data_(config.data()),
      policy_(policy),
      insecure_noise_seed_(config.trainer().insecure_noise_seed()),
      link_(link),
      rng_(rng),
      memory_(memory),
      supervisor_(config.trainer()),
      scripts_(config.trainer().torchscript_directory()) {}

Attempted<std::uint64_t> Learner::CountExamples(const v1::TaskSpec& task, std::stop_token stop) {
  const v1::ModelSpec& model = task.model();
  if (measure::KindOf(task) == measure::Kind::kAnalyse) {
    Attempted<v1::CountReply> counted = Count(task, {}, std::move(stop));
    if (!counted.value) return {std::nullopt, DataFailure(std::move(counted.failure))};
    return IfEnough(counted.value->examples(), data_.min_examples());
  }
  const std::string key = ShapeKey(model);
  if (const auto known = examples_.find(key); known != examples_.end()) return {known->second, {}};
  v1::DescribeRequest request;
  *request.mutable_data() = data_;
  *request.mutable_model() = model;
  const StatusOr<v1::DescribeReply> described =
      supervisor_.Describe(std::move(request), std::move(stop));
  if (!described.ok()) {
    return {std::nullopt, DataFailure(TrainerFailure(described.status(), "reading the data"))};
  }
  for (const std::string& warning : described->warnings())
    log::Warn("trainer_warning", {{"text", warning}});
  log::Info("data_described", {{"examples", described->examples()}, {"blas", described->blas()}});
  Attempted<std::uint64_t> enough = IfEnough(described->examples(), data_.min_examples());
  if (!enough.value) return enough;
  examples_[key] = described->examples();
  return {described->examples(), {}};
}

Attempted<std::string> Learner::ScriptFile(const v1::ModelSpec& model) {
  if (!model::IsScript(model)) return {std::string(), {}};
  const std::string& sha256 = model.torchscript_sha256();
  StatusOr<std::string> file = scripts_.Find(sha256);
  if (file.ok()) return {*std::move(file), {}};
  return {std::nullopt,
          {.code = std::string(protocol::kPolicyRefusal),
           .reason = Join("the TorchScript file with SHA-256 ", Escaped(sha256, 64),
                          " is not installed on this device; its owner has to put it into "
                          "trainer.torchscript_directory"),
           .detail = file.status()}};
}

Attempted<FetchedModel> Learner::Fetch(const ModelRef& model, const v1::TaskSpec& task,
                                       std::stop_token stop) {
  const auto refuse = [](std::string code, std::string reason, Status detail) {
    return Attempted<FetchedModel>{
        std::nullopt,
        {.code = std::move(code), .reason = std::move(reason), .detail = std::move(detail)}};
  };
  Attempted<std::string> script = ScriptFile(task.model());
  if (!script.value) return {std::nullopt, std::move(script.failure)};
  StatusOr<model::Layout> of_model = model::LayoutOf(task.model());
  if (!of_model.ok()) return refuse("POLICY", "the model cannot be built", of_model.status());
  const model::Layout layout = strategy::CheckpointLayout(task, *of_model);
  const std::uint64_t least = layout.values * sizeof(float);
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
  StatusOr<std::vector<float>> weights = model::ReadSafetensors(*file, layout);
  if (!weights.ok())
    return refuse("MODEL_MISMATCH", "the model's weights are not usable", weights.status());
  StatusOr<std::optional<double>> clip_norm = privacy::ClipNormOf(*file);
  if (!clip_norm.ok())
    return refuse("MODEL_MISMATCH", "the model's clip norm is not usable", clip_norm.status());
  StatusOr<std::vector<double>> tilts = measure::TiltsOf(task, *file);
  if (!tilts.ok())
    return refuse("MODEL_MISMATCH", "the model's tilts are not usable", tilts.status());
  const StatusOr<strategy::MixtureGrowth> growth = GrowthOf(*file);
  if (!growth.ok())
    return refuse("MODEL_MISMATCH", "the model's mixture of clients is not usable",
                  growth.status());
  const StatusOr<double> rate_factor = RateFactorOf(task, *file);
  if (!rate_factor.ok())
    return refuse("MODEL_MISMATCH", "the model's learning rate is not usable",
                  rate_factor.status());
  return {FetchedModel{*std::move(script.value), *std::move(of_model), *std::move(weights),
                       *clip_norm, *std::move(tilts), *growth, *rate_factor},
          {}};
}

Attempted<v1::CountReply> Learner::Count(const v1::TaskSpec& task, const FetchedModel& model,
                                         std::stop_token stop) {
  v1::CountRequest request;
  *request.mutable_data() = data_;
  *request.mutable_task() = task;
  request.set_script_file(model.script);
  StatusOr<v1::CountReply> reply =
      supervisor_.Count(std::move(request), model.weights, std::move(stop));
  if (!reply.ok()) return {std::nullopt, TrainerFailure(reply.status(), "counting")};
  return {*std::move(reply), {}};
}

Attempted<Prepared> Learner::PrepareCounts(const ModelRef& model, const v1::TaskSpec& task,
                                           const secagg::RoundConfig& round,
                                           const policy::Plan& plan, std::stop_token stop) {
  Attempted<FetchedModel> fetched{FetchedModel{}, {}};
  if (measure::KindOf(task) == measure::Kind::kEvaluate) fetched = Fetch(model, task, stop);
  if (!fetched.value) return {std::nullopt, std::move(fetched.failure)};
  const Attempted<v1::CountReply> counted = Count(task, *fetched.value, std::move(stop));
  if (!counted.value) return {std::nullopt, counted.failure};
  update::Trained trained;
  trained.examples = counted.value->examples();
  const std::vector<std::uint64_t> counts(counted.value->counts().begin(),
                                          counted.value->counts().end());
  trained.counts = counts;
  StatusOr<update::Encoded> encoded = update::Encode(round, task, plan, 0, trained, rng_);
  if (!encoded.ok()) return {std::nullopt, EncodingFailure(encoded.status())};
  v1::TrainReply summary;
  summary.set_examples(counted.value->examples());
  summary.set_seconds(counted.value->seconds());
  return {Prepared{.trained = std::move(summary),
                   .encoded = std::move(encoded->vector),
                   .keep = {},
                   .rounds_late = {}},
          {}};
}

Attempted<Prepared> Learner::PrepareHeld(const HeldUpdate& held, const v1::TaskSpec& task,
                                         const secagg::RoundConfig& round,
                                         const policy::Plan& plan) {
  const std::uint64_t late = round.round - held.round.round;
  std::vector<float> update = held.update;
  StatusOr<update::Encoded> encoded =
      update::Encode(round, task, plan, held.clip_norm,
                     {.update = update,
                      .local = {.update = update,
                                .steps = held.trained.steps(),
                                .initial_loss = held.trained.initial_loss()},
                      .examples = held.trained.examples(),
                      .norms_counted = held.trained.norms_counted(),
                      .norms_below = held.trained.norms_below(),
                      .factor = strategy::StalenessFactor(task.training(), late)},
                     rng_);
  if (!encoded.ok()) return {std::nullopt, EncodingFailure(encoded.status())};
  WarnOfEncoding(*encoded, update.size(), task.robust().max_update_norm());
  return {Prepared{.trained = held.trained,
                   .encoded = std::move(encoded->vector),
                   .keep = held.keep,
                   .rounds_late = late},
          {}};
}

Attempted<Prepared> Learner::Prepare(const ModelRef& model, const v1::TaskSpec& offered,
                                     const secagg::RoundConfig& round, const policy::Plan& plan,
                                     std::stop_token stop) {
  if (!plan.setting.update) return PrepareCounts(model, offered, round, plan, std::move(stop));
  // Held updates are of jobs without plateaus.
  const v1::TaskSpec held_task = strategy::TaskOfRound(offered, round.round, 1);
  if (const HeldUpdate* held = last_.For(round, held_task, plan)) {
    return PrepareHeld(*held, held_task, round, plan);
  }
  Attempted<FetchedModel> fetched = Fetch(model, offered, stop);
  if (!fetched.value) return {std::nullopt, std::move(fetched.failure)};
  Failpoint("client.model_fetched");
  const v1::TaskSpec task = strategy::TaskOfRound(offered, round.round, fetched.value->rate_factor);
  const model::Layout& layout = fetched.value->layout;
  const double clip_norm = ClipNormFor(task, fetched.value->clip_norm);
  if (const Status allowed = policy::CheckClip(policy_, clip_norm); !allowed.ok()) {
    return {
        std::nullopt,
        {.code = policy::CodeOf(allowed), .reason = policy::ReasonOf(allowed), .detail = allowed}};
  }
  v1::TrainRequest request;
  *request.mutable_data() = data_;
  *request.mutable_model() = task.model();
  request.set_script_file(fetched.value->script);
  update::LocalTask local = update::LocalTaskOf(task, plan, clip_norm);
  *request.mutable_training() = std::move(local.training);
  *request.mutable_privacy() = std::move(local.privacy);
  *request.mutable_adversary() = task.adversary();
  request.set_insecure_noise_seed(insecure_noise_seed_);
  if (plan.counts) *request.mutable_counted() = task;
  request.mutable_tilts()->Add(fetched.value->tilts.begin(), fetched.value->tilts.end());
  const update::StrategyState strategy(task, layout, std::move(fetched.value->weights),
                                       Recall(memory_, task, round.round, layout),
                                       {round.round, fetched.value->growth});
  StatusOr<trainer::Trained> trained =
      supervisor_.Train(std::move(request), strategy.weights(), stop, {}, strategy.extra());
  if (!trained.ok()) return {std::nullopt, TrainerFailure(trained.status(), "training")};
  Failpoint("client.trained");
  // Frozen and personal parameters are in no vector that leaves.
  std::vector<float> common = strategy.Common(trained->update);
  const strategy::LocalResult result =
      strategy.Local(common, trained->reply.steps(), trained->reply.initial_loss());
  std::vector<float> held;
  if (task.training().max_staleness() > 0) held = common;  // encoding may scale it
  const std::vector<std::uint64_t> counts(trained->reply.counts().begin(),
                                          trained->reply.counts().end());
  StatusOr<update::Encoded> encoded =
      update::Encode(round, task, plan, clip_norm,
                     {common, result, trained->reply.examples(), trained->reply.norms_counted(),
                      trained->reply.norms_below(), counts},
                     rng_);
  if (!encoded.ok()) return {std::nullopt, EncodingFailure(encoded.status())};
  WarnOfEncoding(*encoded, trained->update.size(), task.robust().max_update_norm());
  examples_[ShapeKey(task.model())] = trained->reply.examples();
  std::optional<ToKeep> keep;
  if (const strategy::Kept kept = strategy::KeptBy(task); kept != strategy::Kept::kNothing) {
    keep = {task.job(), kept, update::KeptLayout(task, layout),
            strategy.Keep(task, result, trained->update, std::move(trained->extra))};
  }
  if (!held.empty()) {
    last_.Hold({round, plan, clip_norm, trained->reply, std::move(held), keep});
  }
  return {Prepared{.trained = std::move(trained->reply),
                   .encoded = std::move(encoded->vector),
                   .keep = std::move(keep),
                   .rounds_late = {}},
          {}};
}

Attempted<v1::EvaluateReply> Learner::Evaluate(const ModelRef& model, const v1::TaskSpec& task,
                                               std::stop_token stop) {
  Attempted<FetchedModel> fetched = Fetch(model, task, stop);
  if (!fetched.value) return {std::nullopt, std::move(fetched.failure)};
  fetched.value->weights.resize(fetched.value->layout.values);  // without what a strategy adds
  v1::EvaluateRequest request;
  *request.mutable_data() = data_;
  *request.mutable_model() = task.model();
  request.set_script_file(fetched.value->script);
  StatusOr<v1::EvaluateReply> reply =
      supervisor_.Evaluate(std::move(request), fetched.value->weights, stop);
  if (!reply.ok()) return {std::nullopt, TrainerFailure(reply.status(), "evaluation")};
  return {*std::move(reply), {}};
}

}  // namespace tutti::client

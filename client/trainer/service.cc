#include "client/trainer/service.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <exception>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "client/data/augment.h"
#include "client/data/group_codes.h"
#include "client/trainer/count_questions.h"
#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/learn/count_evaluation.h"
#include "common/learn/local.h"
#include "common/measure/counts.h"
#include "common/measure/groups.h"
#include "common/model/architecture.h"
#include "common/model/features.h"

namespace tutti::trainer {
namespace {

// The daemon's block of floats, mapped while it lives.
class MappedValues {
 public:
  static StatusOr<MappedValues> Map(int fd, std::uint64_t values) {
    if (fd < 0) {
      return InvalidArgument("the request came without a memory block, expected a memfd beside it");
    }
    if (values == 0 || values > 4 * model::kMaxValues) {
      return InvalidArgument(
          Join("the request states ", values, " values, expected 1 to ", 4 * model::kMaxValues));
    }
    struct stat information {};
    const std::uint64_t bytes = values * sizeof(float);
    if (::fstat(fd, &information) != 0 ||
        static_cast<std::uint64_t>(information.st_size) != bytes) {
      return InvalidArgument(
          Join("the memory block has ", information.st_size, " bytes, expected ", bytes));
    }
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
      return ResourceExhausted(Join("the memory block cannot be mapped: ", std::strerror(errno)));
    }
    return MappedValues(static_cast<float*>(memory), values);
  }
  MappedValues(MappedValues&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), values_(other.values_) {}
  MappedValues& operator=(MappedValues&&) = delete;
  ~MappedValues() {
    if (data_ != nullptr) {
      ::munmap(data_, values_ * sizeof(float));
    }
  }
  std::span<float> values() { return {data_, values_}; }

 private:
  MappedValues(float* data, std::uint64_t values) : data_(data), values_(values) {}
  float* data_;
  std::uint64_t values_;
};

// Passes at most two signs of life a second on.
class Throttle {
 public:
  explicit Throttle(const Service::ProgressSink& sink) : sink_(sink) {}
  void operator()(std::uint64_t done, std::uint64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(500)) {
      return;
    }
    last_ = now;
    v1::TrainerProgress progress;
    progress.set_steps_done(done);
    progress.set_steps_total(total);
    sink_(progress);
  }

 private:
  const Service::ProgressSink& sink_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double CpuSeconds() const { return Cpu() - cpu_; }

 private:
  static double Cpu() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double cpu_ = Cpu();
};

}  // namespace

v1::TrainerReply Service::Answer(const v1::TrainerRequest& request, int memory_fd,
                                 const ProgressSink& progress) {
  StatusOr<v1::TrainerReply> reply = Internal("not answered");
  try {
    reply = Dispatch(request, memory_fd, progress);
  } catch (const std::bad_alloc&) {
    reply = ResourceExhausted(
        "out of memory; lower the model or the batch, or raise trainer.memory_mib");
  } catch (const std::exception& error) {
    reply = Internal(Join("a library threw: ", Escaped(error.what(), 400)));
  }
  if (!reply.ok()) {
    v1::TrainerReply failed;
    failed.mutable_error()->set_code(CodeName(reply.status().code()));
    failed.mutable_error()->set_text(std::string(MessageOf(reply.status())));
    reply = std::move(failed);
  }
  reply->set_id(request.id());
  return *std::move(reply);
}

StatusOr<v1::TrainerReply> Service::Dispatch(const v1::TrainerRequest& request, int memory_fd,
                                             const ProgressSink& progress) {
  v1::TrainerReply reply;
  switch (request.action_case()) {
    case v1::TrainerRequest::kDescribe: {
      TUTTI_ASSIGN(*reply.mutable_described(), Describe(request.describe()));
      return reply;
    }
    case v1::TrainerRequest::kTrain: {
      TUTTI_ASSIGN(*reply.mutable_trained(), Train(request.train(), memory_fd, progress));
      return reply;
    }
    case v1::TrainerRequest::kEvaluate: {
      TUTTI_ASSIGN(*reply.mutable_evaluated(), Evaluate(request.evaluate(), memory_fd, progress));
      return reply;
    }
    case v1::TrainerRequest::kCount: {
      if (measure::KindOf(request.count().task()) == measure::Kind::kAnalyse) {
        TUTTI_ASSIGN(*reply.mutable_counted(), CountForQuestions(request.count()));
        return reply;
      }
      TUTTI_ASSIGN(*reply.mutable_counted(), Count(request.count(), memory_fd, progress));
      return reply;
    }
    case v1::TrainerRequest::ACTION_NOT_SET:
      break;
  }
  return InvalidArgument(
      "the request has no action this trainer knows; is it the same version as tutti-client?");
}

SecureRng& Service::RandomnessFor(std::uint64_t insecure_noise_seed) {
  if (insecure_noise_seed == 0) {
    return rng_;
  }
  if (!insecure_stream_ || insecure_seed_ != insecure_noise_seed) {
    ByteWriter text;
    text.Raw(AsBytes("tutti insecure noise seed"));
    text.U64(insecure_noise_seed);
    insecure_stream_.emplace(Secret32(crypto::Sha256(text.bytes())));
    insecure_seed_ = insecure_noise_seed;
  }
  return *insecure_stream_;
}

StatusOr<const data::Dataset*> Service::DataOf(const v1::DataConfig& config,
                                               const v1::ModelSpec& model) {
  v1::ModelSpec read;  // the parts of a model that the readers look at
  *read.mutable_input_shape() = model.input_shape();
  read.set_classes(model.classes());
  if (model::HasCentres(model)) read.set_architecture("kmeans");
  const std::string key = config.SerializeAsString() + "/" + read.SerializeAsString();
  if (key != data_key_) {
    data_key_.clear();
    features_key_.clear();
    data_ = {};  // before the new one is loaded: never two data sets at once
    features_ = {};
    TUTTI_ASSIGN(data_, data::Load(config, model));
    data_key_ = key;
  }
  return &data_;
}

StatusOr<learn::DataView> Service::InputsOf(const v1::DataConfig& config,
                                            const v1::ModelSpec& model, Use use,
                                            std::span<const std::uint32_t> groups,
                                            const ProgressSink& progress) {
  TUTTI_ASSIGN(const data::Dataset* const data, DataOf(config, model));
  std::span<const float> features = data->features;
  if (model::HasFeatures(model)) {
    const std::string key = Join(data_key_, "/", model.features(), "/", model.feature_groups());
    if (key != features_key_) {
      features_key_.clear();
      features_ = {};
      TUTTI_ASSIGN(features_, model::FeaturesOf(model, data->features, Throttle(progress)));
      features_key_ = key;
    }
    features = features_;
  }
  const std::size_t first = use == Use::kTraining ? 0 : data->first_measured();
  const std::size_t count = (use == Use::kTraining ? data->training() : data->examples) - first;
  const std::size_t width = data->examples == 0 ? 0 : features.size() / data->examples;
  learn::DataView view{.features = features.subspan(first * width, count * width)};
  if (data->targets.empty()) {
    view.labels = std::span(data->labels).subspan(first, count);
  } else {
    view.targets = std::span(data->targets).subspan(first, count);
  }
  if (!groups.empty()) view.groups = groups.subspan(first, count);
  return view;
}

StatusOr<v1::DescribeReply> Service::Describe(const v1::DescribeRequest& request) {
  TUTTI_TRY(model::ArchitectureOf(request.model()).status());
  TUTTI_ASSIGN(const data::Dataset* const data, DataOf(request.data(), request.model()));
  v1::DescribeReply reply;
  reply.set_examples(data->training());
  if (!model::HasCentres(request.model())) {
    for (const std::uint64_t count : data->ClassCounts(request.model().classes())) {
      reply.add_class_counts(count);
    }
  }
  for (const std::string& warning : data->warnings) {
    reply.add_warnings(warning);
  }
  if (runtime_.warning) {
    reply.add_warnings(*runtime_.warning);
  }
  reply.set_torch_version(runtime_.torch_version);
  reply.set_blas(runtime_.blas);
  return reply;
}

StatusOr<v1::TrainReply> Service::Train(const v1::TrainRequest& request, int memory_fd,
                                        const ProgressSink& progress) {
  const Stopwatch stopwatch;
  TUTTI_ASSIGN(const model::Layout layout, model::LayoutOf(request.model()));
  if (request.values() != layout.values) {
    return InvalidArgument(
        Join("the request states ", request.values(), " values, the model has ", layout.values));
  }
  if (request.extra_blocks() > 1) {
    return InvalidArgument(
        Join("the request has ", request.extra_blocks(), " extra blocks, expected at most 1"));
  }
  TUTTI_ASSIGN(MappedValues block,
               MappedValues::Map(memory_fd, (2 + request.extra_blocks()) * layout.values));
  const v1::FairnessSpec& fairness = request.counted().fairness();
  std::vector<std::uint32_t> groups;
  if (measure::HasGroups(request.counted())) {
    TUTTI_ASSIGN(const data::Dataset* const all, DataOf(request.data(), request.model()));
    TUTTI_ASSIGN(groups, data::GroupCodes(*all, fairness));
  }
  TUTTI_ASSIGN(const learn::DataView data,
               InputsOf(request.data(), request.model(), Use::kTraining, groups, progress));
  TUTTI_ASSIGN(data::Augmenter augmenter, data::Augmenter::Create(request.data(), request.model()));
  SecureRng& rng = RandomnessFor(request.insecure_noise_seed());
  learn::TrainHooks hooks;
  const std::vector<double> tilts(request.tilts().begin(), request.tilts().end());
  TUTTI_ASSIGN(hooks.tilts, learn::GroupTilts::Create(fairness, tilts));
  if (!augmenter.IsIdle()) {
    hooks.change = [&](std::span<float> image) { augmenter.Apply(rng, image); };
  }
  hooks.adversary = request.adversary();
  const auto received = block.values().first(layout.values);
  std::vector<float> weights(received.begin(), received.end());
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(request.model()));
  TUTTI_ASSIGN(learn::Network network, learn::Network::Create(architecture, request.script_file()));
  v1::TrainReply reply;
  if (request.has_counted()) {
    TUTTI_ASSIGN(const learn::DataView measured,
                 InputsOf(request.data(), request.model(), Use::kMeasuring, groups, progress));
    TUTTI_ASSIGN(const std::vector<std::uint64_t> counts,
                 learn::CountBesideTraining(network, request.counted(), measured, received, rng,
                                            Throttle(progress)));
    reply.mutable_counts()->Assign(counts.begin(), counts.end());
  }
  TUTTI_ASSIGN(const learn::LocalTraining local,
               learn::TrainLocally(network, request.training(), request.privacy(), data, weights,
                                   block.values().subspan(2 * layout.values), rng,
                                   Throttle(progress), hooks));
  std::memcpy(block.values().data() + layout.values, weights.data(), layout.values * sizeof(float));
  const learn::TrainResult& result = local.result;
  reply.set_initial_loss(local.initial_loss);
  reply.set_examples(result.examples);
  reply.set_steps(result.steps);
  reply.set_sampling_rate(result.sampling_rate);
  reply.set_noise_multiplier(result.noise_multiplier);
  reply.set_seconds(stopwatch.Seconds());
  reply.set_cpu_seconds(stopwatch.CpuSeconds());
  reply.set_loss(result.loss);
  reply.set_gradient_method(result.method);
  reply.set_norms_counted(result.counted);
  reply.set_norms_below(result.counted - result.clipped);
  return reply;
}

StatusOr<v1::EvaluateReply> Service::Evaluate(const v1::EvaluateRequest& request, int memory_fd,
                                              const ProgressSink& progress) {
  const Stopwatch stopwatch;
  TUTTI_ASSIGN(const model::Layout layout, model::LayoutOf(request.model()));
  if (request.values() != layout.values) {
    return InvalidArgument(
        Join("the request states ", request.values(), " values, the model has ", layout.values));
  }
  TUTTI_ASSIGN(MappedValues block, MappedValues::Map(memory_fd, layout.values));
  TUTTI_ASSIGN(const learn::DataView data,
               InputsOf(request.data(), request.model(), Use::kMeasuring, {}, progress));
  TUTTI_ASSIGN(const learn::EvaluateResult result,
               learn::Evaluate(request.model(), data, block.values(), Throttle(progress),
                               request.script_file()));
  v1::EvaluateReply reply;
  reply.set_examples(result.examples);
  reply.set_loss(result.loss);
  reply.set_accuracy(result.accuracy);
  reply.set_seconds(stopwatch.Seconds());
  return reply;
}

StatusOr<v1::CountReply> Service::Count(const v1::CountRequest& request, int memory_fd,
                                        const ProgressSink& progress) {
  const Stopwatch stopwatch;
  const v1::TaskSpec& task = request.task();
  if (measure::KindOf(task) != measure::Kind::kEvaluate) {
    return Unimplemented(Join("kind is \"", Escaped(task.kind(), 40),
                              "\", expected \"evaluate\": nothing else is counted yet"));
  }
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(task.model()));
  if (request.values() != architecture.layout.values) {
    return InvalidArgument(Join("the request states ", request.values(), " values, the model has ",
                                architecture.layout.values));
  }
  TUTTI_ASSIGN(MappedValues block, MappedValues::Map(memory_fd, request.values()));
  TUTTI_ASSIGN(const data::Dataset* const all, DataOf(request.data(), task.model()));
  std::vector<std::uint32_t> groups;
  if (measure::HasGroups(task)) {
    TUTTI_ASSIGN(groups, data::GroupCodes(*all, task.fairness()));
    groups.erase(groups.begin(),
                 groups.begin() + static_cast<std::ptrdiff_t>(all->first_measured()));
  }
  TUTTI_ASSIGN(const learn::DataView data,
               InputsOf(request.data(), task.model(), Use::kMeasuring, {}, progress));
  TUTTI_ASSIGN(learn::Network network, learn::Network::Create(architecture, request.script_file()));
  TUTTI_ASSIGN(const std::vector<std::uint64_t> counts,
               learn::CountEvaluation(network, task, data, groups, block.values(), rng_,
                                      Throttle(progress)));
  v1::CountReply reply;
  reply.mutable_counts()->Assign(counts.begin(), counts.end());
  reply.set_examples(data.size());
  reply.set_seconds(stopwatch.Seconds());
  return reply;
}

}  // namespace tutti::trainer

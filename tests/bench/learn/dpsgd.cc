#include "tests/bench/learn/dpsgd.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>
#include <vector>

// Before the others of LibTorch: see there.
#include "common/learn/aten.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "common/base/text.h"
#include "common/crypto/random.h"
#include "common/learn/per_example.h"
#include "common/learn/runtime.h"
#include "common/noise/gaussian.h"
#include "tests/bench/secagg/cpu_time.h"

namespace tutti::bench {
namespace {

struct Model {
  std::vector<std::int64_t> input;  // of one example
  std::vector<at::Tensor> parameters;
  learn::Forward forward;

  at::Tensor New(at::IntArrayRef shape) {
    std::int64_t fan_in = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
    const double scale = 1.0 / std::sqrt(static_cast<double>(fan_in));
    parameters.push_back(((at::rand(shape) * 2 - 1) * scale).set_requires_grad(true));
    return parameters.back();
  }
  std::int64_t values() const {
    std::int64_t sum = 0;
    for (const at::Tensor& parameter : parameters) sum += parameter.numel();
    return sum;
  }
};

Model Mlp() {  // 203,530 values
  Model m{.input = {784}, .parameters = {}, .forward = {}};
  const auto w = m.New({256, 784}), b = m.New({256}), v = m.New({10, 256}), c = m.New({10});
  m.forward = [=](const at::Tensor& x) { return at::linear(at::relu(at::linear(x, w, b)), v, c); };
  return m;
}

Model Lenet() {  // 431,080 values
  Model m{.input = {1, 28, 28}, .parameters = {}, .forward = {}};
  const auto k = m.New({20, 1, 5, 5}), kb = m.New({20}), l = m.New({50, 20, 5, 5}),
             lb = m.New({50}), w = m.New({500, 800}), b = m.New({500}), v = m.New({10, 500}),
             c = m.New({10});
  m.forward = [=](const at::Tensor& x) {
    at::Tensor h = at::max_pool2d(at::relu(at::conv2d(x, k, kb, {1, 1})), {2, 2});
    h = at::max_pool2d(at::relu(at::conv2d(h, l, lb, {1, 1})), {2, 2});
    return at::linear(at::relu(at::linear(at::flatten(h, 1), w, b)), v, c);
  };
  return m;
}

Model GroupNormConv() {
  Model m{.input = {3, 32, 32}, .parameters = {}, .forward = {}};
  const auto k = m.New({32, 3, 3, 3}), kb = m.New({32}), g = m.New({32}), gb = m.New({32}),
             l = m.New({64, 32, 3, 3}), lb = m.New({64}), n = m.New({64}), nb = m.New({64}),
             w = m.New({10, 1024}), b = m.New({10});
  m.forward = [=](const at::Tensor& x) {
    at::Tensor h = at::relu(at::group_norm(at::conv2d(x, k, kb, {1, 1}, {1, 1}), 8, g, gb));
    h = at::relu(
        at::group_norm(at::conv2d(at::max_pool2d(h, {2, 2}), l, lb, {1, 1}, {1, 1}), 8, n, nb));
    return at::linear(at::flatten(at::max_pool2d(h, {4, 4}), 1), w, b);
  };
  return m;
}

Model Lstm() {  // 28 steps of 28 features, 128 hidden
  Model m{.input = {28, 28}, .parameters = {}, .forward = {}};
  const std::vector<at::Tensor> cell{m.New({512, 28}), m.New({512, 128}), m.New({512}),
                                     m.New({512})};
  const auto w = m.New({10, 128}), b = m.New({10});
  m.forward = [=](const at::Tensor& x) {
    const at::Tensor start = at::zeros({1, x.size(0), 128});
    const at::Tensor h =
        std::get<0>(at::lstm(x, {start, start}, cell, true, 1, 0.0, true, false, true));
    return at::linear(h.select(1, -1), w, b);
  };
  return m;
}

StatusOr<Model> ModelOf(const std::string& name) {
  if (name == "mlp") return Mlp();
  if (name == "lenet") return Lenet();
  if (name == "gnconv") return GroupNormConv();
  if (name == "lstm") return Lstm();
  return InvalidArgument(Join("model is \"", name, "\", expected mlp, lenet, gnconv or lstm"));
}

constexpr double kRate = 0.01;

class Stepper {
 public:
  Stepper(Model model, std::uint32_t batch, bool with_privacy)
      : model_(std::move(model)), batch_(batch), noise_(static_cast<std::size_t>(model_.values())) {
    std::vector<std::int64_t> shape{batch};
    shape.insert(shape.end(), model_.input.begin(), model_.input.end());
    inputs_ = at::rand(shape);
    labels_ = at::randint(0, 10, {batch}, at::kLong);
    if (with_privacy) {
      const at::Tensor few = inputs_.narrow(0, 0, std::min<std::int64_t>(batch, 4));
      const at::Tensor their = labels_.narrow(0, 0, few.size(0));
      choice_ = *learn::ChooseMethod({model_.forward, model_.parameters, few, their, 1.0});
    }
  }

  void Use(learn::GradientMethod method) { choice_.method = method; }
  std::string method() const { return std::string(learn::MethodName(choice_.method)); }
  std::int64_t values() const { return model_.values(); }

  void Plain() {
    const at::Tensor loss = at::cross_entropy_loss(model_.forward(inputs_), labels_);
    const auto gradients = torch::autograd::grad({loss}, model_.parameters);
    const c10::NoGradGuard no_grad;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      model_.parameters[i].sub_(gradients[i], kRate);
    }
  }

  void Private() {
    const auto sum =
        *learn::ClipBy(choice_.method, {model_.forward, model_.parameters, inputs_, labels_, 1.0});
    const c10::NoGradGuard no_grad;
    std::fill(noise_.begin(), noise_.end(), 0.0F);
    std::size_t first = 0;
    for (const at::Tensor& gradient : sum.gradients) {
      const at::Tensor flat = gradient.contiguous();
      std::copy_n(flat.data_ptr<float>(), flat.numel(), noise_.data() + first);
      first += static_cast<std::size_t>(flat.numel());
    }
    Secret32 key;
    rng_.Fill(key.mutable_view());
    crypto::AesCtrStream stream(key);
    noise::Gaussian gaussian(stream);
    noise::AddGridNoise({.stddev = 1, .step = 0x1p-24}, gaussian, noise_);
    first = 0;
    for (const at::Tensor& parameter : model_.parameters) {
      parameter.sub_(at::from_blob(noise_.data() + first, parameter.sizes(), at::kFloat),
                     kRate / batch_);
      first += static_cast<std::size_t>(parameter.numel());
    }
  }

 private:
  Model model_;
  std::uint32_t batch_;
  std::vector<float> noise_;
  at::Tensor inputs_, labels_;
  learn::MethodChoice choice_;
  crypto::SystemRng rng_;
};

// A line of /proc/self/status, in KiB.
long StatusKib(const char* key) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(key, 0) == 0) return std::stol(line.substr(line.find(':') + 1));
  }
  return 0;
}

struct Measured {
  double milliseconds = 0;
  double extra_mib = 0;
  std::int64_t values = 0;
  char method[32] = {};
};

Measured Measure(const DpsgdSettings& settings, bool with_privacy) {
  learn::SetUp(1);
  Stepper stepper(*ModelOf(settings.model), settings.batch, with_privacy);
  for (const auto method : {learn::GradientMethod::kVmap, learn::GradientMethod::kSingleExamples}) {
    if (settings.method == learn::MethodName(method)) {
      stepper.Use(method);
    }
  }
  const auto step = [&] { with_privacy ? stepper.Private() : stepper.Plain(); };
  Measured measured;
  measured.values = stepper.values();
  std::snprintf(measured.method, sizeof measured.method, "%s", stepper.method().c_str());
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts here
  const long before = StatusKib("VmRSS");
  step();
  measured.extra_mib = static_cast<double>(StatusKib("VmHWM") - before) / 1024;
  measured.milliseconds = 1e9;
  double spent = 0;
  for (std::uint32_t i = 0; settings.repetitions > 0 ? i < settings.repetitions : spent < 2; ++i) {
    const double start = ThreadCpuSeconds();
    step();
    const double seconds = ThreadCpuSeconds() - start;
    spent += seconds;
    measured.milliseconds = std::min(measured.milliseconds, 1e3 * seconds);
  }
  return measured;
}

// In a child, because neither malloc nor LibTorch gives memory back.
StatusOr<Measured> MeasureApart(const DpsgdSettings& settings, bool with_privacy) {
  int ends[2];
  if (::pipe(ends) != 0) return Internal("no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    const Measured measured = Measure(settings, with_privacy);
    const bool sent = ::write(ends[1], &measured, sizeof measured) == sizeof measured;
    ::_exit(sent ? 0 : 1);
  }
  ::close(ends[1]);
  Measured measured;
  const bool got = ::read(ends[0], &measured, sizeof measured) == sizeof measured;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  if (!got) return Internal("the measuring process ended early");
  return measured;
}

}  // namespace

StatusOr<std::string> DpsgdLine(const DpsgdSettings& settings) {
  TUTTI_TRY(ModelOf(settings.model).status());
  TUTTI_ASSIGN(const Measured plain, MeasureApart(settings, false));
  TUTTI_ASSIGN(const Measured with_privacy, MeasureApart(settings, true));
  char line[640];
  std::snprintf(line, sizeof line,
                "{\"bench\": \"dpsgd\", \"model\": \"%s\", \"batch\": %u, \"values\": %lld, "
                "\"step_ms\": %.3f, \"plain_step_ms\": %.3f, \"ratio\": %.3f, \"extra_mib\": %.1f, "
                "\"plain_extra_mib\": %.1f, \"method\": \"%s\", \"build\": \"%s\", \"cores\": %u}",
                settings.model.c_str(), settings.batch, static_cast<long long>(plain.values),
                with_privacy.milliseconds, plain.milliseconds,
                with_privacy.milliseconds / plain.milliseconds, with_privacy.extra_mib,
                plain.extra_mib, with_privacy.method, TUTTI_BUILD_TYPE,
                std::thread::hardware_concurrency());
  return std::string(line);
}

}  // namespace tutti::bench

#include "tests/bench/learn/dpsgd.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
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

// What a process says of itself before it is asked for steps.
struct Described {
  double extra_mib = 0;
  std::int64_t values = 0;
  char method[32] = {};
};

Described Describe(Stepper& stepper, const std::function<void()>& step) {
  Described described;
  described.values = stepper.values();
  std::snprintf(described.method, sizeof described.method, "%s", stepper.method().c_str());
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts here
  const long before = StatusKib("VmRSS");
  step();
  described.extra_mib = static_cast<double>(StatusKib("VmHWM") - before) / 1024;
  return described;
}

// The least of some steps, in milliseconds: whatever disturbs a step makes it slower.
double BlockMilliseconds(const std::function<void()>& step) {
  constexpr double kBlockSeconds = 0.15;
  constexpr int kFewest = 3;
  double least = 1e9, spent = 0;
  for (int i = 0; i < kFewest || spent < kBlockSeconds; ++i) {
    const double start = ThreadCpuSeconds();
    step();
    const double seconds = ThreadCpuSeconds() - start;
    spent += seconds;
    least = std::min(least, 1e3 * seconds);
  }
  return least;
}

// In a child: describes itself, then measures a block for each byte it is sent.
void Serve(int end, const DpsgdSettings& settings, bool with_privacy) {
  learn::SetUp(1);
  Stepper stepper(*ModelOf(settings.model), settings.batch, with_privacy);
  for (const auto method : {learn::GradientMethod::kVmap, learn::GradientMethod::kSingleExamples}) {
    if (settings.method == learn::MethodName(method)) {
      stepper.Use(method);
    }
  }
  const std::function<void()> step = [&] { with_privacy ? stepper.Private() : stepper.Plain(); };
  const Described described = Describe(stepper, step);
  bool open = ::write(end, &described, sizeof described) == sizeof described;
  for (char asked = 0; open && ::read(end, &asked, 1) == 1;) {
    const double milliseconds = BlockMilliseconds(step);
    open = ::write(end, &milliseconds, sizeof milliseconds) == sizeof milliseconds;
  }
}

// A process of its own, because neither malloc nor LibTorch gives memory back.
class Apart {
 public:
  Apart(const DpsgdSettings& settings, bool with_privacy) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ends[0]);
      Serve(ends[1], settings, with_privacy);
      ::_exit(0);
    }
    ::close(ends[1]);
    end_ = ends[0];
    sound_ = Read(&described_, sizeof described_);
  }
  ~Apart() {
    if (end_ >= 0) ::close(end_);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }
  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

  bool sound() const { return sound_; }
  const Described& described() const { return described_; }
  double Block() {
    double milliseconds = 0;
    const char ask = 1;
    sound_ = sound_ && ::write(end_, &ask, 1) == 1 && Read(&milliseconds, sizeof milliseconds);
    return milliseconds;
  }

 private:
  bool Read(void* to, std::size_t size) const {
    return ::recv(end_, to, size, MSG_WAITALL) == static_cast<ssize_t>(size);
  }

  int end_ = -1;
  pid_t child_ = -1;
  bool sound_ = false;
  Described described_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

StatusOr<std::string> DpsgdLine(const DpsgdSettings& settings) {
  constexpr int kBlocks = 15;
  TUTTI_TRY(ModelOf(settings.model).status());
  Apart plain(settings, false), with_privacy(settings, true);
  std::vector<double> plain_ms, private_ms, ratios;
  for (int i = 0; i < kBlocks; ++i) {
    plain_ms.push_back(plain.Block());
    private_ms.push_back(with_privacy.Block());
    ratios.push_back(private_ms.back() / plain_ms.back());
  }
  if (!plain.sound() || !with_privacy.sound()) {
    return Internal("the measuring process ended early");
  }
  char line[640];
  std::snprintf(line, sizeof line,
                "{\"bench\": \"dpsgd\", \"model\": \"%s\", \"batch\": %u, \"values\": %lld, "
                "\"step_ms\": %.3f, \"plain_step_ms\": %.3f, \"ratio\": %.3f, \"extra_mib\": %.1f, "
                "\"plain_extra_mib\": %.1f, \"method\": \"%s\", \"build\": \"%s\", \"cores\": %u}",
                settings.model.c_str(), settings.batch,
                static_cast<long long>(plain.described().values), Median(private_ms),
                Median(plain_ms), Median(ratios), with_privacy.described().extra_mib,
                plain.described().extra_mib, with_privacy.described().method, TUTTI_BUILD_TYPE,
                std::thread::hardware_concurrency());
  return std::string(line);
}

}  // namespace tutti::bench

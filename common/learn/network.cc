#include "common/learn/network.h"

#include <array>
#include <exception>
#include <new>
#include <optional>
#include <utility>
#include <vector>

// Before the others of LibTorch: see there.
#include "common/learn/aten.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "common/base/text.h"
#include "common/learn/per_example.h"
#include "common/learn/script.h"

namespace tutti::learn {
namespace {

at::IntArrayRef Signed(const std::vector<std::uint64_t>& shape) {
  return {reinterpret_cast<const std::int64_t*>(shape.data()), shape.size()};
}

// Two entries each: conv2d reads a single one differently inside some of LibTorch's function
// transforms.
std::array<std::int64_t, 2> Square(std::uint32_t size) { return {size, size}; }

std::span<float> Values(at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

std::size_t InputValues(const model::Architecture& architecture) {
  std::size_t values = 1;
  for (const std::uint64_t size : architecture.input) {
    values *= size;
  }
  return values;
}

// Runs `work`, which calls LibTorch: its exceptions become a Status.
template <typename Work>
auto Guarded(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted(
        "LibTorch ran out of memory; use a smaller model or batch, or raise the trainer's limit");
  } catch (const c10::Error& error) {
    return Internal(Join("LibTorch: ", Escaped(error.what_without_backtrace(), 400)));
  } catch (const std::exception& error) {
    return Internal(Join("LibTorch: ", Escaped(error.what(), 400)));
  }
}

}  // namespace

struct Network::State {
  model::Architecture architecture;
  at::Tensor flat;                     // all weights
  std::vector<at::Tensor> parameters;  // views of flat, leaves of the graph
  std::optional<MethodChoice> method;  // of per-example gradients, once tried
  std::optional<Script> script;        // computes in place of the layers

  at::Tensor Apply(const model::Layer& layer, const at::Tensor& x) const {
    const auto parameter = [&](std::size_t index) { return parameters[index]; };
    switch (layer.kind) {
      case model::LayerKind::kLinear:
        return at::linear(x, parameter(layer.weight), parameter(layer.bias));
      case model::LayerKind::kConv2d:
        return at::conv2d(x, parameter(layer.weight), parameter(layer.bias), Square(layer.stride),
                          Square(layer.padding), Square(1), 1);
      case model::LayerKind::kMaxPool2d:
        return at::max_pool2d(x, Square(layer.kernel), Square(layer.stride), Square(layer.padding));
      case model::LayerKind::kAvgPool2d:
        return at::avg_pool2d(x, Square(layer.kernel), Square(layer.stride), Square(layer.padding));
      case model::LayerKind::kGroupNorm:
        return at::group_norm(x, layer.groups, parameter(layer.weight), parameter(layer.bias),
                              model::kNormEpsilon);
      case model::LayerKind::kLayerNorm:
        return at::layer_norm(x, Signed(layer.input), parameter(layer.weight),
                              parameter(layer.bias), model::kNormEpsilon);
      case model::LayerKind::kRelu:
        return at::relu(x);
      case model::LayerKind::kTanh:
        return at::tanh(x);
      case model::LayerKind::kFlatten:
        return at::flatten(x, 1);
    }
    return x;
  }

  at::Tensor Forward(at::Tensor x, bool training = true) {
    if (script) {
      return script->Forward(x, training);
    }
    for (const model::Layer& layer : architecture.layers) {
      x = Apply(layer, x);
    }
    return x;
  }

  StatusOr<at::Tensor> Inputs(const Batch& batch) const {
    if (batch.features.size() != batch.labels.size() * InputValues(architecture)) {
      return InvalidArgument(Join("a batch has ", batch.features.size(), " feature values for ",
                                  batch.labels.size(), " examples, the model reads ",
                                  InputValues(architecture), " each"));
    }
    std::vector<std::int64_t> shape{static_cast<std::int64_t>(batch.labels.size())};
    for (const std::uint64_t size : architecture.input) {
      shape.push_back(static_cast<std::int64_t>(size));
    }
    // LibTorch takes no pointer to const; nothing writes to an input.
    return at::from_blob(const_cast<float*>(batch.features.data()), shape, at::kFloat);
  }

  StatusOr<at::Tensor> Labels(const Batch& batch) const {
    at::Tensor labels = at::empty({static_cast<std::int64_t>(batch.labels.size())}, at::kLong);
    auto* const out = labels.data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      if (batch.labels[i] >= architecture.classes) {
        return InvalidArgument(Join("a label is ", batch.labels[i],
                                    ", expected below model.classes = ", architecture.classes));
      }
      out[i] = batch.labels[i];
    }
    return labels;
  }

  // Made-up inputs and weights: neither data nor a coordinator's weights decide how gradients are
  // computed.
  StatusOr<MethodChoice> ChooseByTrial(const learn::Forward& forward) {
    constexpr std::int64_t kExamples = 4;
    std::vector<std::int64_t> shape{kExamples};
    for (const std::uint64_t size : architecture.input) {
      shape.push_back(static_cast<std::int64_t>(size));
    }
    std::uint64_t state = 1;
    const auto draw = [&state] {  // in [0, 1); Knuth's constants
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return static_cast<float>(state >> 40) * 0x1p-24F;
    };
    at::Tensor inputs = at::empty(shape, at::kFloat);
    for (float& value : Values(inputs)) {
      value = draw() < 0.5F ? 0.0F : 1.0F;
    }
    at::Tensor labels =
        at::arange(kExamples, at::kLong).remainder(std::int64_t{architecture.classes});
    const at::Tensor weights = flat.clone();
    for (float& value : Values(flat)) {
      value = 0.4F * draw() - 0.2F;
    }
    StatusOr<MethodChoice> choice =
        learn::ChooseMethod({forward, parameters, inputs, labels, /*clip_norm=*/1.0});
    flat.copy_(weights);
    return choice;
  }

  StatusOr<MethodChoice> Method(const learn::Forward& forward) {
    if (!method) {
      TUTTI_ASSIGN(method, ChooseByTrial(forward));
    }
    return *method;
  }

  void AddTo(std::span<float> sum, const std::vector<at::Tensor>& gradients) const {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (!gradients[i].defined()) {
        continue;
      }
      const model::Parameter& parameter = architecture.layout.parameters[i];
      at::from_blob(sum.data() + parameter.offset, gradients[i].sizes(), at::kFloat)
          .add_(gradients[i]);
    }
  }
};

Network::Network(std::unique_ptr<State> state) : state_(std::move(state)) {}
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;
Network::~Network() = default;

StatusOr<Network> Network::Create(const model::Architecture& architecture,
                                  const std::string& script_file) {
  return Guarded([&]() -> StatusOr<Network> {
    auto state = std::make_unique<State>();
    state->architecture = architecture;
    state->flat = at::zeros({static_cast<std::int64_t>(architecture.layout.values)}, at::kFloat);
    for (const model::Parameter& parameter : architecture.layout.parameters) {
      state->parameters.push_back(state->flat
                                      .narrow(0, static_cast<std::int64_t>(parameter.offset),
                                              static_cast<std::int64_t>(parameter.values))
                                      .view(Signed(parameter.shape))
                                      .detach()
                                      .set_requires_grad(true));
    }
    if (!architecture.script_sha256.empty()) {
      TUTTI_ASSIGN(state->script, Script::Load(script_file, architecture, state->parameters));
    }
    return Network(std::move(state));
  });
}

const model::Architecture& Network::architecture() const { return state_->architecture; }

std::span<float> Network::weights() { return Values(state_->flat); }

StatusOr<std::string> Network::GradientMethod() {
  return Guarded([&]() -> StatusOr<std::string> {
    const Forward forward = [&](const at::Tensor& x) { return state_->Forward(x); };
    TUTTI_ASSIGN(const MethodChoice choice, state_->Method(forward));
    std::string name(MethodName(choice.method));
    return choice.reason.empty() ? name : Join(name, ": ", choice.reason);
  });
}

StatusOr<BatchLoss> Network::AddGradients(const Batch& batch, std::span<float> sum) {
  return Guarded([&]() -> StatusOr<BatchLoss> {
    TUTTI_ASSIGN(const at::Tensor inputs, state_->Inputs(batch));
    TUTTI_ASSIGN(const at::Tensor labels, state_->Labels(batch));
    const at::Tensor loss =
        at::cross_entropy_loss(state_->Forward(inputs), labels, {}, at::Reduction::Sum);
    const std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, state_->parameters);
    const c10::NoGradGuard no_grad;
    state_->AddTo(sum, gradients);
    return BatchLoss{.loss_sum = loss.item<double>(), .counted = batch.labels.size()};
  });
}

StatusOr<BatchLoss> Network::AddClippedGradients(const Batch& batch, double clip_norm,
                                                 std::span<float> sum) {
  return Guarded([&]() -> StatusOr<BatchLoss> {
    TUTTI_ASSIGN(const at::Tensor inputs, state_->Inputs(batch));
    TUTTI_ASSIGN(const at::Tensor labels, state_->Labels(batch));
    const Forward forward = [&](const at::Tensor& x) { return state_->Forward(x); };
    TUTTI_ASSIGN(const MethodChoice method, state_->Method(forward));
    TUTTI_ASSIGN(const ClippedSum clipped,
                 ClipBy(method.method, {forward, state_->parameters, inputs, labels, clip_norm}));
    const c10::NoGradGuard no_grad;
    state_->AddTo(sum, clipped.gradients);
    const at::Tensor finite = at::isfinite(clipped.losses);
    return BatchLoss{.loss_sum = at::where(finite, clipped.losses, at::zeros_like(clipped.losses))
                                     .sum(at::kDouble)
                                     .item<double>(),
                     .counted = static_cast<std::size_t>(finite.sum().item<std::int64_t>()),
                     .clipped = static_cast<std::size_t>(
                         clipped.norms.gt(clip_norm).sum().item<std::int64_t>())};
  });
}

StatusOr<BatchScore> Network::Score(const Batch& batch) {
  return Guarded([&]() -> StatusOr<BatchScore> {
    const c10::NoGradGuard no_grad;
    TUTTI_ASSIGN(const at::Tensor inputs, state_->Inputs(batch));
    TUTTI_ASSIGN(const at::Tensor labels, state_->Labels(batch));
    const at::Tensor logits = state_->Forward(inputs, /*training=*/false);
    return BatchScore{
        .loss_sum = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum).item<double>(),
        .correct =
            static_cast<std::size_t>(logits.argmax(1).eq(labels).sum().item<std::int64_t>())};
  });
}

}  // namespace tutti::learn

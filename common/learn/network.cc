#include "common/learn/network.h"

#include <algorithm>
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
#include "common/learn/example_losses.h"
#include "common/learn/layer_stack.h"
#include "common/learn/per_example.h"
#include "common/learn/script.h"

namespace tutti::learn {
namespace {

at::IntArrayRef Signed(const std::vector<std::uint64_t>& shape) {
  return {reinterpret_cast<const std::int64_t*>(shape.data()), shape.size()};
}

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
  Loss loss = Loss::kCrossEntropy;
  at::Tensor flat;                     // the weights that are trained
  at::Tensor frozen;                   // the others
  std::vector<at::Tensor> parameters;  // views of the two, in layout order
  std::vector<at::Tensor> trained;     // those of flat, leaves of the graph
  std::optional<MethodChoice> method;  // of per-example gradients, once tried
  std::optional<LayerStack> layers;
  std::optional<Script> script;  // computes in place of the layers

  explicit State(const model::Architecture& of) : architecture(of) {
    const auto zeros = [&](model::Section section) {
      return at::zeros({static_cast<std::int64_t>(ValuesIn(of.layout, section))}, at::kFloat);
    };
    flat = zeros(model::Section::kTrained);
    frozen = zeros(model::Section::kFrozen);
    std::int64_t next_trained = 0, next_frozen = 0;
    for (const model::Parameter& parameter : of.layout.parameters) {
      const bool trains = IsIn(model::Section::kTrained, parameter);
      std::int64_t& next = trains ? next_trained : next_frozen;
      const auto values = static_cast<std::int64_t>(parameter.values);
      at::Tensor view = (trains ? flat : frozen)
                            .narrow(0, next, values)
                            .view(Signed(parameter.shape))
                            .detach()
                            .set_requires_grad(trains);
      next += values;
      parameters.push_back(view);
      if (trains) {
        trained.push_back(std::move(view));
      }
    }
  }

  at::Tensor Forward(const at::Tensor& x, bool training = true) {
    return script ? script->Forward(x, training) : layers->Forward(x);
  }

  StatusOr<at::Tensor> Inputs(const Batch& batch) const {
    if (batch.features.size() != batch.size() * InputValues(architecture)) {
      return InvalidArgument(Join("a batch has ", batch.features.size(), " feature values for ",
                                  batch.size(), " examples, the model reads ",
                                  InputValues(architecture), " each"));
    }
    std::vector<std::int64_t> shape{static_cast<std::int64_t>(batch.size())};
    for (const std::uint64_t size : architecture.input) {
      shape.push_back(static_cast<std::int64_t>(size));
    }
    // LibTorch takes no pointer to const; nothing writes to an input.
    return at::from_blob(const_cast<float*>(batch.features.data()), shape, at::kFloat);
  }

  // Labels or, for a loss that needs them, targets; zeros where clusters are found without either.
  StatusOr<at::Tensor> Wanted(const Batch& batch) const {
    const auto count = static_cast<std::int64_t>(batch.size());
    if (loss == Loss::kDistortion) {
      return at::zeros({count}, at::kLong);
    }
    if (NeedsTargets(loss)) {
      if (batch.targets.size() != batch.size() || !batch.labels.empty()) {
        return InvalidArgument("a batch has labels, expected targets: the model predicts a number");
      }
      return at::from_blob(const_cast<float*>(batch.targets.data()), {count}, at::kFloat);
    }
    if (!batch.targets.empty()) {
      return InvalidArgument("a batch has targets, expected labels: the model predicts classes");
    }
    at::Tensor labels = at::empty({count}, at::kLong);
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

  StatusOr<ExampleTerms> Terms(const Batch& batch) const {
    if (batch.factors.empty() && batch.tilts.empty()) return ExampleTerms();
    if (loss != Loss::kCrossEntropy || batch.tilted_class >= architecture.classes) {
      return InvalidArgument(Join("a batch has terms for class ", batch.tilted_class,
                                  ", the model has ", architecture.classes, " classes"));
    }
    ExampleTerms terms{.factors = {}, .tilts = {}, .tilted_class = batch.tilted_class};
    for (const auto& [values, tensor] :
         {std::pair(batch.factors, &terms.factors), std::pair(batch.tilts, &terms.tilts)}) {
      if (values.empty()) continue;
      if (values.size() != batch.size()) {
        return InvalidArgument(
            Join("a batch has ", batch.size(), " examples and ", values.size(), " terms"));
      }
      *tensor = at::from_blob(const_cast<float*>(values.data()),
                              {static_cast<std::int64_t>(values.size())}, at::kFloat);
    }
    return terms;
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
    const at::Tensor numbers = at::arange(kExamples, at::kLong);
    const at::Tensor wanted = NeedsTargets(loss)
                                  ? numbers.to(at::kFloat)
                                  : numbers.remainder(std::int64_t{architecture.classes});
    const at::Tensor weights = flat.clone();
    for (float& value : Values(flat)) {
      value = 0.4F * draw() - 0.2F;
    }
    StatusOr<MethodChoice> choice =
        learn::ChooseMethod({forward, trained, inputs, wanted, /*clip_norm=*/1.0, loss});
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
      const auto values = static_cast<std::size_t>(trained[i].numel());
      if (gradients[i].defined()) {
        at::from_blob(sum.data(), gradients[i].sizes(), at::kFloat).add_(gradients[i]);
      }
      sum = sum.subspan(values);
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
    auto state = std::make_unique<State>(architecture);
    if (architecture.script_sha256.empty()) {
      state->layers.emplace(state->architecture, state->parameters);
    } else {
      TUTTI_ASSIGN(state->script, Script::Load(script_file, architecture, state->parameters));
    }
    return Network(std::move(state));
  });
}

const model::Architecture& Network::architecture() const { return state_->architecture; }

std::span<float> Network::weights() { return Values(state_->flat); }

void Network::UseLoss(Loss loss) {
  if (loss != state_->loss) {
    state_->loss = loss;
    state_->method.reset();
  }
}

void Network::Load(std::span<const float> all) {
  const model::Layout& layout = state_->architecture.layout;
  const auto set = [&](at::Tensor& tensor, model::Section section) {
    const std::vector<float> values = Take(layout, section, all);
    std::copy(values.begin(), values.end(), Values(tensor).begin());
  };
  set(state_->flat, model::Section::kTrained);
  set(state_->frozen, model::Section::kFrozen);
}

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
    TUTTI_ASSIGN(const at::Tensor wanted, state_->Wanted(batch));
    TUTTI_ASSIGN(const ExampleTerms terms, state_->Terms(batch));
    const at::Tensor loss =
        ExampleLosses(state_->loss, state_->Forward(inputs), wanted, terms).sum();
    const std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, state_->trained);
    const c10::NoGradGuard no_grad;
    state_->AddTo(sum, gradients);
    return BatchLoss{.loss_sum = loss.item<double>(), .counted = batch.size()};
  });
}

StatusOr<BatchLoss> Network::AddClippedGradients(const Batch& batch, double clip_norm,
                                                 std::span<float> sum) {
  return Guarded([&]() -> StatusOr<BatchLoss> {
    TUTTI_ASSIGN(const at::Tensor inputs, state_->Inputs(batch));
    TUTTI_ASSIGN(const at::Tensor wanted, state_->Wanted(batch));
    TUTTI_ASSIGN(const ExampleTerms terms, state_->Terms(batch));
    const Forward forward = [&](const at::Tensor& x) { return state_->Forward(x); };
    TUTTI_ASSIGN(const MethodChoice method, state_->Method(forward));
    TUTTI_ASSIGN(const ClippedSum clipped,
                 ClipBy(method.method, {forward, state_->trained, inputs, wanted, clip_norm,
                                        state_->loss, terms}));
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
    TUTTI_ASSIGN(const at::Tensor wanted, state_->Wanted(batch));
    const at::Tensor outputs = state_->Forward(inputs, /*training=*/false);
    BatchScore score;
    score.loss_sum = ExampleLosses(state_->loss, outputs, wanted).sum(at::kDouble).item<double>();
    if (NeedsTargets(state_->loss)) {
      score.absolute_error_sum =
          (outputs.squeeze(1) - wanted).abs().sum(at::kDouble).item<double>();
    } else if (state_->loss == Loss::kCrossEntropy) {
      score.correct =
          static_cast<std::size_t>(outputs.argmax(1).eq(wanted).sum().item<std::int64_t>());
    }
    return score;
  });
}

StatusOr<std::vector<float>> Network::Outputs(const Batch& batch) {
  return Guarded([&]() -> StatusOr<std::vector<float>> {
    const c10::NoGradGuard no_grad;
    TUTTI_ASSIGN(const at::Tensor inputs, state_->Inputs(batch));
    at::Tensor outputs = state_->Forward(inputs, /*training=*/false);
    if (!NeedsTargets(state_->loss)) outputs = outputs.log_softmax(1);
    outputs = outputs.contiguous();
    const std::span<float> values = Values(outputs);
    return std::vector<float>(values.begin(), values.end());
  });
}

StatusOr<std::vector<float>> Network::FeatureGradients(const Batch& batch, Mode mode) {
  return Guarded([&]() -> StatusOr<std::vector<float>> {
    TUTTI_ASSIGN(at::Tensor inputs, state_->Inputs(batch));
    TUTTI_ASSIGN(const at::Tensor wanted, state_->Wanted(batch));
    inputs.set_requires_grad(true);
    const at::Tensor outputs = state_->Forward(inputs, mode == Mode::kTraining);
    const at::Tensor loss = ExampleLosses(state_->loss, outputs, wanted).sum();
    at::Tensor gradient;
    if (loss.requires_grad()) {
      gradient = torch::autograd::grad({loss}, {inputs}, {}, {}, false, /*allow_unused=*/true)[0];
    }
    if (!gradient.defined()) {
      return FailedPrecondition(
          "the model's loss has no gradient by its features, so none of them can be changed "
          "against "
          "it; does it read them as numbers of tokens? Use adversary.kind = \"none\"");
    }
    const at::Tensor values = gradient.contiguous();
    const float* const first = values.data_ptr<float>();
    return std::vector<float>(first, first + values.numel());
  });
}

}  // namespace tutti::learn

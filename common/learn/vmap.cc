#include "common/learn/vmap.h"

#include <algorithm>
#include <utility>

#include <ATen/functorch/BatchedTensorImpl.h>
#include <ATen/functorch/DynamicLayer.h>
#include <ATen/functorch/TensorWrapper.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "common/learn/capture.h"
#include "common/learn/example_losses.h"

namespace tutti::learn {
namespace {

namespace functorch = at::functorch;

constexpr std::int64_t kHeldValues = 8 << 20;  // floats of per-example gradients at a time

// A level of transformation; ends with the scope, whatever is thrown.
class Level {
 public:
  explicit Level(std::int64_t number) : number_(number) {}
  ~Level() { functorch::popDynamicLayerAndDeleteMetadata(); }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  std::int64_t number() const { return number_; }

 private:
  std::int64_t number_;
};

// What `tensor` of the innermost level is for all examples: [examples, ...].
at::Tensor OfAll(const at::Tensor& tensor, std::int64_t examples) {
  at::Tensor value = tensor;
  if (const auto* const wrapper = functorch::maybeGetTensorWrapper(value)) {
    value = wrapper->value();
  }
  if (const auto* const batched = functorch::maybeGetBatchedImpl(value)) {
    return batched->value().movedim(batched->bdim(), 0);
  }
  std::vector<std::int64_t> shape = value.sizes().vec();
  shape.insert(shape.begin(), examples);
  return value.expand(shape);
}

struct Each {
  at::Tensor losses;                  // [examples]
  std::vector<at::Tensor> gradients;  // [examples, ...]; undefined when the parameter has no part
};

// Losses and their gradients, outside: over examples, inside: automatic differentiation of one.
Each GradientsOfEach(const ClipRequest& request, std::int64_t first, std::int64_t count) {
  std::vector<at::Tensor> values;
  for (const at::Tensor& parameter : request.parameters) {
    values.push_back(parameter.detach());
  }
  const at::Tensor inputs = request.inputs.narrow(0, first, count).unsqueeze(1);
  const at::Tensor labels = request.labels.narrow(0, first, count).unsqueeze(1);
  const Level over_examples(functorch::initAndPushDynamicLayer(
      functorch::TransformType::Vmap, count, functorch::RandomnessType::Different));
  const at::Tensor input = functorch::makeBatched(inputs, 0, over_examples.number());
  const at::Tensor label = functorch::makeBatched(labels, 0, over_examples.number());
  const ExampleTerms terms = request.terms.With([&](const at::Tensor& of_all) {
    return functorch::makeBatched(of_all.narrow(0, first, count).unsqueeze(1), 0,
                                  over_examples.number());
  });
  const bool with_grad = c10::GradMode::is_enabled();
  const Level of_one(
      functorch::initAndPushDynamicLayer(functorch::TransformType::Grad, {}, {}, with_grad));
  const c10::AutoGradMode on(true);
  std::vector<at::Tensor> inside;
  for (const at::Tensor& value : values) {
    at::Tensor wrapper = functorch::makeTensorWrapper(value, of_one.number());
    functorch::setInplaceRequiresGradAllowed(true);
    wrapper.requires_grad_(true);
    functorch::setInplaceRequiresGradAllowed(false);
    inside.push_back(std::move(wrapper));
  }
  at::Tensor loss;
  {
    const Substitution substitution(request.parameters, inside);
    loss = ExampleLosses(request.loss, request.forward(input), label, terms).sum();
  }
  const std::vector<at::Tensor> gradients =
      torch::autograd::grad({loss}, inside, {}, {}, false, /*allow_unused=*/true);
  Each each{OfAll(loss.detach(), count), {}};
  for (const at::Tensor& gradient : gradients) {
    each.gradients.push_back(gradient.defined() ? OfAll(gradient, count) : at::Tensor());
  }
  return each;
}

void AddSlice(const ClipRequest& request, std::int64_t first, std::int64_t count,
              ClippedSum& result, std::vector<at::Tensor>& norms, std::vector<at::Tensor>& losses) {
  const Each each = GradientsOfEach(request, first, count);
  const c10::NoGradGuard no_grad;
  at::Tensor squared = at::zeros({count}, request.inputs.options());
  for (const at::Tensor& gradient : each.gradients) {
    if (gradient.defined()) {
      squared += gradient.detach().flatten(1).square().sum(1);
    }
  }
  norms.push_back(squared.sqrt());
  losses.push_back(each.losses.detach().reshape({count}));
  const at::Tensor sound = at::isfinite(norms.back()) & at::isfinite(losses.back());
  const at::Tensor factors =
      at::where(sound, ClipFactors(norms.back(), request.clip_norm), at::zeros_like(squared));
  const at::Tensor unsound = sound.logical_not().unsqueeze(1);
  const bool all_sound = sound.all().item<bool>();
  for (std::size_t i = 0; i < each.gradients.size(); ++i) {
    if (!each.gradients[i].defined()) {
      continue;
    }
    at::Tensor vectors = each.gradients[i].detach().flatten(1);
    if (!all_sound) {  // 0 * NaN is NaN: what is not finite is taken out first
      vectors = vectors.masked_fill(unsound, 0);
    }
    const at::Tensor part = at::mv(vectors.t(), factors).view(request.parameters[i].sizes());
    at::Tensor& sum = result.gradients[i];
    sum = sum.defined() ? sum.add_(part) : part;
  }
}

}  // namespace

StatusOr<ClippedSum> ClipByVmap(const ClipRequest& request) {
  std::int64_t values = 1;
  for (const at::Tensor& parameter : request.parameters) {
    values += parameter.numel();
  }
  ClippedSum result;
  result.gradients.resize(request.parameters.size());
  std::vector<at::Tensor> norms, losses;
  const std::int64_t step = std::max<std::int64_t>(kHeldValues / values, 1);
  for (std::int64_t first = 0; first < request.inputs.size(0); first += step) {
    AddSlice(request, first, std::min(step, request.inputs.size(0) - first), result, norms, losses);
  }
  result.norms = at::cat(norms);
  result.losses = at::cat(losses);
  return result;
}

}  // namespace tutti::learn

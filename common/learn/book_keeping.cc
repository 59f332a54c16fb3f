#include "common/learn/book_keeping.h"

#include <cmath>
#include <utility>

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "common/base/text.h"
#include "common/learn/capture.h"

namespace tutti::learn {
namespace {

// Norms are float32 sums of squares, right to about 1e-6: clipping to a bound that much smaller
// keeps the real norm within it.
constexpr double kNormMargin = 1e-6;

// What the norm of a call already computed and its clipped sum can use again.
struct Kept {
  at::Tensor patches;  // conv2d: [examples, inputs * k * k, positions]
  at::Tensor weights;  // per-example gradients of the weight, flat: [examples, values]
  at::Tensor biases;   // the same of the bias
};

at::Tensor SquaredNorms(const at::Tensor& per_example) {
  return per_example.flatten(1).square().sum(1);
}

at::Tensor LinearNorms(const Use& use) {
  const at::Tensor delta = SquaredNorms(use.delta);
  const at::Tensor weight = delta * SquaredNorms(use.input);
  return use.bias.defined() ? weight + delta : weight;
}

at::Tensor ConvNorms(const Use& use, Kept& kept) {
  kept.patches =
      at::im2col(use.input, use.weight.sizes().slice(2), use.dilation, use.padding, use.stride);
  const at::Tensor delta = use.delta.flatten(2);  // [examples, outputs, positions]
  const std::int64_t positions = delta.size(2);
  at::Tensor norms;
  if (2 * positions * positions < delta.size(1) * kept.patches.size(1)) {
    norms = (at::bmm(kept.patches.transpose(1, 2), kept.patches) *
             at::bmm(delta.transpose(1, 2), delta))
                .sum({1, 2});
  } else {
    kept.weights = at::bmm(delta, kept.patches.transpose(1, 2)).flatten(1);
    norms = SquaredNorms(kept.weights);
  }
  if (use.bias.defined()) {
    kept.biases = delta.sum(2);
    norms = norms + SquaredNorms(kept.biases);
  }
  return norms;
}

// Norm layers have few parameters: their per-example gradients are cheap to hold.
at::Tensor NormLayerNorms(const Use& use, Kept& kept) {
  const std::int64_t examples = use.input.size(0);
  const bool group = use.rule == Rule::kGroupNorm;
  at::Tensor norms = at::zeros({examples}, use.delta.options());
  if (use.weight.defined()) {
    const at::Tensor normalised =
        group ? at::group_norm(use.input, use.groups, {}, {}, use.epsilon)
              : at::layer_norm(use.input, use.input.sizes().slice(1), {}, {}, use.epsilon);
    const at::Tensor product = use.delta * normalised;
    kept.weights = group ? product.flatten(2).sum(2) : product.flatten(1);
    norms = norms + SquaredNorms(kept.weights);
  }
  if (use.bias.defined()) {
    kept.biases = group ? use.delta.flatten(2).sum(2) : use.delta.flatten(1);
    norms = norms + SquaredNorms(kept.biases);
  }
  return norms;
}

at::Tensor NormsOf(const Use& use, Kept& kept) {
  switch (use.rule) {
    case Rule::kLinear:
      return LinearNorms(use);
    case Rule::kConv2d:
      return ConvNorms(use, kept);
    case Rule::kGroupNorm:
    case Rule::kLayerNorm:
      return NormLayerNorms(use, kept);
  }
  return {};
}

// Sums of factor[i] * per_example[i].
at::Tensor WeightedSum(const at::Tensor& per_example, const at::Tensor& factors,
                       const at::Tensor& parameter) {
  return at::mv(per_example.t(), factors).view(parameter.sizes());
}

std::pair<at::Tensor, at::Tensor> ClippedSumOf(const Use& use, const Kept& kept,
                                               const at::Tensor& factors) {
  at::Tensor weight;
  at::Tensor bias;
  if (use.rule == Rule::kLinear) {
    const at::Tensor delta = use.delta * factors.unsqueeze(1);
    weight = at::mm(delta.t(), use.input);
    bias = use.bias.defined() ? delta.sum(0) : bias;
    return {weight, bias};
  }
  if (kept.weights.defined()) {
    weight = WeightedSum(kept.weights, factors, use.weight);
  } else if (use.rule == Rule::kConv2d) {
    const at::Tensor delta = use.delta.flatten(2) * factors.view({-1, 1, 1});
    weight = at::mm(delta.transpose(0, 1).flatten(1), kept.patches.transpose(1, 2).flatten(0, 1))
                 .view(use.weight.sizes());
  }
  if (kept.biases.defined()) {
    bias = WeightedSum(kept.biases, factors, use.bias);
  }
  return {weight, bias};
}

Status Record(const Forward& forward, Tape& tape, const at::Tensor& inputs,
              const at::Tensor& labels, at::Tensor& losses) {
  at::Tensor logits;
  {
    const Recording recording(tape);
    logits = forward(inputs);
  }
  if (!tape.problem.empty()) {
    return FailedPrecondition(
        Join("the model has ", tape.problem,
             ": no rule for per-example gradients covers that; change the model"));
  }
  losses = at::cross_entropy_loss(logits, labels, {}, at::Reduction::None);
  std::vector<at::Tensor> outputs;
  for (const Use& use : tape.uses) {
    if (use.output.size(0) != inputs.size(0)) {
      return FailedPrecondition(
          "a layer changes the number of examples: its per-example gradients are undefined");
    }
    outputs.push_back(use.output);
  }
  const std::vector<at::Tensor> deltas = torch::autograd::grad({losses.sum()}, outputs);
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    tape.uses[i].delta = deltas[i];
    tape.uses[i].input = tape.uses[i].input.detach();
  }
  losses = losses.detach();
  return OkStatus();
}

std::size_t IndexOf(const std::vector<at::Tensor>& parameters, const at::Tensor& parameter) {
  std::size_t index = 0;
  while (index < parameters.size() && !parameters[index].is_same(parameter)) {
    ++index;
  }
  return index;
}

}  // namespace

StatusOr<ClippedSum> ClippedGradientSum(const Forward& forward,
                                        const std::vector<at::Tensor>& parameters,
                                        const at::Tensor& inputs, const at::Tensor& labels,
                                        double clip_norm) {
  ClippedSum result;
  Tape tape{.parameters = parameters, .uses = {}, .problem = {}};
  TUTTI_TRY(Record(forward, tape, inputs, labels, result.losses));
  const c10::NoGradGuard no_grad;
  std::vector<Kept> kept(tape.uses.size());
  at::Tensor squares = at::zeros({inputs.size(0)}, inputs.options());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    squares += NormsOf(tape.uses[i], kept[i]);
  }
  result.norms = squares.sqrt();
  result.gradients.resize(parameters.size());
  const at::Tensor sound = at::isfinite(result.norms) & at::isfinite(result.losses);
  if (!sound.all().item<bool>()) {
    // 0 * NaN is NaN: the examples must leave the batch, a factor of 0 would not do.
    const at::Tensor rows = sound.nonzero().squeeze(1);
    if (rows.size(0) > 0) {
      c10::AutoGradMode with_grad(true);
      TUTTI_ASSIGN(ClippedSum rest,
                   ClippedGradientSum(forward, parameters, inputs.index_select(0, rows),
                                      labels.index_select(0, rows), clip_norm));
      result.gradients = std::move(rest.gradients);
    }
    return result;
  }
  const at::Tensor factors =
      (clip_norm / (result.norms * (1 + kNormMargin) + 1e-30)).clamp_max(1.0);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto [weight, bias] = ClippedSumOf(tape.uses[i], kept[i], factors);
    if (weight.defined()) {
      result.gradients[IndexOf(parameters, tape.uses[i].weight)] = weight;
    }
    if (bias.defined()) {
      result.gradients[IndexOf(parameters, tape.uses[i].bias)] = bias;
    }
  }
  return result;
}

}  // namespace tutti::learn

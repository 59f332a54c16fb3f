#include "common/model/layer_builder.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "common/base/text.h"

namespace tutti::model {

LayerBuilder::LayerBuilder(Architecture& target, std::uint32_t adapter_rank)
    : target_(target), adapter_rank_(adapter_rank), shapes_{target.input} {}

Status LayerBuilder::Add(LayerKind kind, const v1::LayerSpec& spec) {
  TUTTI_TRY(CheckFields(kind, spec));
  if (target_.clusters) {
    return InvalidArgument(
        "it follows a centres layer, whose distances are the result; remove what follows");
  }
  Layer layer{.kind = kind, .input = shape(), .output = shape()};
  layer.masked = masked_;
  TUTTI_TRY(Fill(layer, spec));
  TUTTI_TRY(ValuesOf(layer.output, kMaxActivations, "the output").status());
  shapes_.push_back(layer.output);
  target_.layers.push_back(std::move(layer));
  return OkStatus();
}

Status LayerBuilder::Fill(Layer& layer, const v1::LayerSpec& spec) {
  switch (layer.kind) {
    case LayerKind::kLinear:
      return Linear(layer, spec);
    case LayerKind::kConv2d:
      return Convolution(layer, spec, 2);
    case LayerKind::kConv1d:
      return Convolution(layer, spec, 1);
    case LayerKind::kMaxPool2d:
    case LayerKind::kAvgPool2d:
      return Pool(layer, spec, 2);
    case LayerKind::kMaxPool1d:
      return Pool(layer, spec, 1);
    case LayerKind::kMeanPool:
      return MeanPool(layer);
    case LayerKind::kGroupNorm:
      return GroupNorm(layer, spec);
    case LayerKind::kLayerNorm:
      return NormParameters(layer, shape());
    case LayerKind::kRelu:
    case LayerKind::kTanh:
      return OkStatus();
    case LayerKind::kFlatten:
      return Flatten(layer);
    case LayerKind::kEmbedding:
      return Embedding(layer, spec);
    case LayerKind::kGru:
      return Gru(layer, spec);
    case LayerKind::kTransformer:
      return Transformer(layer, spec);
    case LayerKind::kAdd:
      return Skip(layer, spec);
    case LayerKind::kCentres:
      return Centres(layer, spec);
  }
  return OkStatus();
}

// A channel and so many dimensions of positions.
Status LayerBuilder::NeedPositions(std::size_t dimensions) const {
  if (shape().size() == dimensions + 1) {
    return OkStatus();
  }
  return InvalidArgument(
      dimensions == 2
          ? Join("input has shape ", ShapeText(shape()),
                 ", expected [channels, height, width]; use it before any flatten, on images")
          : Join("input has shape ", ShapeText(shape()),
                 ", expected [channels, length]; use it before any flatten, on series"));
}

Status LayerBuilder::Linear(Layer& layer, const v1::LayerSpec& spec) {
  if (shape().size() != 1) {
    return InvalidArgument(Join("input has shape ", ShapeText(shape()),
                                ", expected one dimension; put a flatten layer before it"));
  }
  layer.output = {spec.outputs()};
  TUTTI_TRY(Weights(layer, {spec.outputs(), shape()[0]}, shape()[0]));
  return Adapt(layer, layer.weight, "");
}

Status LayerBuilder::Convolution(Layer& layer, const v1::LayerSpec& spec, std::size_t spatial) {
  TUTTI_TRY(Slide(layer, spec, spatial, 1));
  layer.output[0] = spec.outputs();
  Shape weight{spec.outputs(), shape()[0]};
  std::uint64_t fan_in = shape()[0];
  for (std::size_t i = 0; i < spatial; ++i) {
    weight.push_back(spec.kernel());
    fan_in *= spec.kernel();
  }
  return Weights(layer, std::move(weight), fan_in);
}

Status LayerBuilder::Pool(Layer& layer, const v1::LayerSpec& spec, std::size_t spatial) {
  TUTTI_TRY(Slide(layer, spec, spatial, spec.kernel()));
  if (2 * layer.padding > layer.kernel) {
    return InvalidArgument(Join("padding is ", layer.padding,
                                ", expected at most half the kernel of ", layer.kernel, " pixels"));
  }
  return OkStatus();
}

// The positions after a window of `kernel` has moved over the padded input.
Status LayerBuilder::Slide(Layer& layer, const v1::LayerSpec& spec, std::size_t spatial,
                           std::uint32_t default_stride) {
  TUTTI_TRY(NeedPositions(spatial));
  layer.kernel = spec.kernel();
  layer.stride = spec.stride() == 0 ? default_stride : spec.stride();
  layer.padding = spec.padding();
  for (std::size_t i = 1; i <= spatial; ++i) {
    const std::uint64_t padded = shape()[i] + 2ULL * layer.padding;
    if (padded < layer.kernel) {
      return InvalidArgument(Join("kernel is ", layer.kernel, " pixels, the padded input is only ",
                                  padded, "; use a smaller kernel or more padding"));
    }
    layer.output[i] = (padded - layer.kernel) / layer.stride + 1;
  }
  masked_ = false;
  return OkStatus();
}

Status LayerBuilder::MeanPool(Layer& layer) {
  if (shape().size() < 2) {
    return InvalidArgument(Join("input has shape ", ShapeText(shape()),
                                ", expected channels and positions: an image or a series"));
  }
  layer.output = {shape()[0]};
  masked_ = false;
  return OkStatus();
}

Status LayerBuilder::GroupNorm(Layer& layer, const v1::LayerSpec& spec) {
  if (shape().size() != 2) {
    TUTTI_TRY(NeedPositions(2));
  }
  layer.groups = spec.groups() == 0 ? 1 : spec.groups();
  if (shape()[0] % layer.groups != 0) {
    return InvalidArgument(
        Join("groups is ", layer.groups, ", expected a divisor of the ", shape()[0], " channels"));
  }
  TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(shape(), kMaxActivations, "the output"));
  if (values / layer.groups < 2) {
    return InvalidArgument(
        "each group holds one value and would always become 0; use fewer groups");
  }
  return NormParameters(layer, {shape()[0]});
}

Status LayerBuilder::Flatten(Layer& layer) {
  TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(shape(), kMaxActivations, "the output"));
  layer.output = {values};
  masked_ = false;
  return OkStatus();
}

Status LayerBuilder::Embedding(Layer& layer, const v1::LayerSpec& spec) {
  if (!target_.layers.empty() || shape().size() != 1) {
    return InvalidArgument(
        "it reads the tokens of an example; use it as the first layer only, with model.input_shape "
        "[length]");
  }
  layer.vocabulary = spec.vocabulary();
  layer.output = {spec.outputs(), shape()[0]};
  target_.vocabulary = spec.vocabulary();
  masked_ = true;
  // Of a token one input reaches the output: its own row.
  TUTTI_ASSIGN(layer.weight,
               Append("weight", {spec.vocabulary(), spec.outputs()}, 1, Start::kUniform));
  return OkStatus();
}

Status LayerBuilder::Gru(Layer& layer, const v1::LayerSpec& spec) {
  TUTTI_TRY(NeedPositions(1));
  const std::uint64_t inputs = shape()[0], state = spec.outputs();
  layer.output = {state};
  masked_ = false;
  TUTTI_TRY(ValuesOf({3 * state, shape()[1]}, kMaxActivations, "the gates").status());
  TUTTI_ASSIGN(layer.weight, Append("weight_ih_l0", {3 * state, inputs}, state, Start::kUniform));
  TUTTI_TRY(Append("weight_hh_l0", {3 * state, state}, state, Start::kUniform).status());
  TUTTI_TRY(Append("bias_ih_l0", {3 * state}, state, Start::kUniform).status());
  return Append("bias_hh_l0", {3 * state}, state, Start::kUniform).status();
}

Status LayerBuilder::Transformer(Layer& layer, const v1::LayerSpec& spec) {
  TUTTI_TRY(NeedPositions(1));
  const std::uint64_t width = shape()[0], inner = 4 * width;
  layer.heads = spec.heads() == 0 ? 1 : spec.heads();
  if (width % layer.heads != 0) {
    return InvalidArgument(
        Join("heads is ", layer.heads, ", expected a divisor of the ", width, " channels"));
  }
  layer.adds_positions =
      target_.layers.empty() || target_.layers.back().kind != LayerKind::kTransformer;
  TUTTI_TRY(
      ValuesOf({layer.heads, shape()[1], shape()[1]}, kMaxActivations, "the attention").status());
  TUTTI_TRY(ValuesOf({inner, shape()[1]}, kMaxActivations, "the inner layer").status());
  TUTTI_ASSIGN(layer.weight,
               Append("self_attn.in_proj_weight", {3 * width, width}, width, Start::kUniform));
  struct Rest {
    std::string_view role;
    Shape shape;
    std::uint64_t fan_in;
    Start start;
  };
  const std::vector<Rest> parameters{
      {"self_attn.in_proj_bias", {3 * width}, width, Start::kUniform},
      {"self_attn.out_proj.weight", {width, width}, width, Start::kUniform},
      {"self_attn.out_proj.bias", {width}, width, Start::kUniform},
      {"linear1.weight", {inner, width}, width, Start::kUniform},
      {"linear1.bias", {inner}, width, Start::kUniform},
      {"linear2.weight", {width, inner}, inner, Start::kUniform},
      {"linear2.bias", {width}, inner, Start::kUniform},
      {"norm1.weight", {width}, 1, Start::kOne},
      {"norm1.bias", {width}, 1, Start::kZero},
      {"norm2.weight", {width}, 1, Start::kOne},
      {"norm2.bias", {width}, 1, Start::kZero}};
  for (const Rest& rest : parameters) {
    TUTTI_TRY(Append(rest.role, rest.shape, rest.fan_in, rest.start).status());
  }
  const std::array<std::string_view, 4> maps{"self_attn.in_proj.", "self_attn.out_proj.",
                                             "linear1.", "linear2."};
  for (std::size_t i = 0; i < maps.size(); ++i) {
    TUTTI_TRY(Adapt(layer, layer.weight + 2 * i, maps[i]));
  }
  return OkStatus();
}

Status LayerBuilder::Skip(Layer& layer, const v1::LayerSpec& spec) {
  const std::size_t place = shapes_.size();  // this layer's, as the job file counts
  if (spec.skip() > place) {
    return InvalidArgument(Join("skip is ", spec.skip(), ", expected at most ", place,
                                ", which is the model's input"));
  }
  layer.skip = spec.skip();
  layer.stride = 1;
  const Shape& earlier = shapes_[place - spec.skip()];
  if (earlier == shape()) {
    return OkStatus();
  }
  bool fits = earlier.size() == shape().size() && shape().size() > 1 && earlier[0] <= shape()[0];
  const std::uint64_t stride = fits ? (earlier[1] + shape()[1] - 1) / shape()[1] : 1;
  for (std::size_t i = 1; fits && i < shape().size(); ++i) {
    fits = (earlier[i] + stride - 1) / stride == shape()[i];
  }
  if (!fits) {
    return InvalidArgument(
        Join("the output added has shape ", ShapeText(earlier), ", the layer before gives ",
             ShapeText(shape()),
             ", expected the same, or fewer channels and positions that are a whole factor more"));
  }
  layer.stride = static_cast<std::uint32_t>(stride);
  return OkStatus();
}

Status LayerBuilder::Centres(Layer& layer, const v1::LayerSpec& spec) {
  if (shape().size() != 1) {
    return InvalidArgument(Join("input has shape ", ShapeText(shape()),
                                ", expected one dimension; put a flatten layer before it"));
  }
  if (!target_.layout.parameters.empty()) {
    return InvalidArgument(
        "a layer before it has parameters; k-means finds centres of features that stay as they "
        "are, remove that layer");
  }
  if (spec.outputs() < 2) {
    return InvalidArgument("outputs is 1, expected at least 2 clusters");
  }
  layer.output = {spec.outputs()};
  target_.clusters = true;
  // Uniform in [-1, 1]: where features of mean 0 and standard deviation 1 lie.
  TUTTI_ASSIGN(layer.weight, Append("centres", {spec.outputs(), shape()[0]}, 1, Start::kUniform));
  TUTTI_ASSIGN(layer.bias, Append("shares", {spec.outputs()}, 1, Start::kZero));
  return OkStatus();
}

Status LayerBuilder::Weights(Layer& layer, Shape shape, std::uint64_t fan_in) {
  const Shape bias{shape[0]};
  TUTTI_ASSIGN(layer.weight, Append("weight", std::move(shape), fan_in, Start::kUniform));
  TUTTI_ASSIGN(layer.bias, Append("bias", bias, fan_in, Start::kUniform));
  return OkStatus();
}

Status LayerBuilder::NormParameters(Layer& layer, const Shape& shape) {
  TUTTI_ASSIGN(layer.weight, Append("weight", shape, 1, Start::kOne));
  TUTTI_ASSIGN(layer.bias, Append("bias", shape, 1, Start::kZero));
  return OkStatus();
}

Status LayerBuilder::Adapt(Layer& layer, std::size_t weight, std::string_view prefix) {
  if (adapter_rank_ == 0) {
    return OkStatus();
  }
  std::vector<Parameter>& parameters = target_.layout.parameters;
  parameters[weight].part = Part::kFrozen;
  parameters[weight + 1].part = Part::kFrozen;
  const std::uint64_t outputs = parameters[weight].shape[0], inputs = parameters[weight].shape[1];
  const std::uint64_t rank = std::min({adapter_rank_, outputs, inputs});
  TUTTI_ASSIGN(const std::size_t first,
               Append(Join(prefix, "lora_A"), {rank, inputs}, inputs, Start::kUniform));
  if (layer.adapter == kNoParameter) {
    layer.adapter = first;
  }
  return Append(Join(prefix, "lora_B"), {outputs, rank}, rank, Start::kZero).status();
}

StatusOr<std::size_t> LayerBuilder::Append(std::string_view role, Shape shape, std::uint64_t fan_in,
                                           Start start) {
  TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(shape, kMaxValues, "a parameter"));
  Layout& layout = target_.layout;
  if (layout.values + values > kMaxValues) {
    return ResourceExhausted(
        Join("the model passes ", kMaxValues, " values here; make it smaller"));
  }
  layout.parameters.push_back({.name = Join(target_.layers.size(), ".", role),
                               .shape = std::move(shape),
                               .offset = layout.values,
                               .values = values,
                               .fan_in = fan_in,
                               .start = start});
  layout.values += values;
  return layout.parameters.size() - 1;
}

}  // namespace tutti::model

#include "common/learn/layer_stack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace tutti::learn {
namespace {

at::IntArrayRef Signed(const std::vector<std::uint64_t>& shape) {
  return {reinterpret_cast<const std::int64_t*>(shape.data()), shape.size()};
}

// One entry a dimension: convolutions read a single one differently inside some of LibTorch's
// function transforms.
std::array<std::int64_t, 2> Square(std::uint32_t size) { return {size, size}; }
std::array<std::int64_t, 1> Line(std::uint32_t size) { return {size}; }

// Places of the parameters behind the first one, in the order of layer_builder.cc.
enum GruPlace : std::size_t { kInputWeight, kStateWeight, kInputBias, kStateBias };
enum TransformerPlace : std::size_t {
  kAttentionIn = 0,
  kAttentionOut = 2,
  kFeedIn = 4,
  kFeedOut = 6,
  kNorm1 = 8,
  kNorm2 = 10
};

// Attention to padding, before the softmax. Finite: an example of padding alone is no NaN.
constexpr double kUnattended = 1e9;

// Floats of differences to centres held at a time.
constexpr std::int64_t kHeldDifferences = 1 << 22;

// Vaswani et al. 2017, section 3.5; [length, channels].
at::Tensor Sines(std::uint64_t length, std::uint64_t channels) {
  at::Tensor table = at::empty(
      {static_cast<std::int64_t>(length), static_cast<std::int64_t>(channels)}, at::kFloat);
  auto* out = table.data_ptr<float>();
  for (std::uint64_t position = 0; position < length; ++position) {
    for (std::uint64_t channel = 0; channel < channels; ++channel) {
      const double power =
          static_cast<double>(channel - channel % 2) / static_cast<double>(channels);
      const double angle = static_cast<double>(position) / std::pow(10000.0, power);
      *out++ = static_cast<float>(channel % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return table;
}

// The earlier output in the shape of `x`: every stride-th position, and zeros for missing channels.
at::Tensor Shortcut(at::Tensor earlier, const at::Tensor& x, std::int64_t stride) {
  for (std::int64_t i = 2; stride > 1 && i < earlier.dim(); ++i) {
    earlier = earlier.slice(i, 0, std::numeric_limits<std::int64_t>::max(), stride);
  }
  if (earlier.dim() > 2 && earlier.size(1) < x.size(1)) {
    std::vector<std::int64_t> pad(static_cast<std::size_t>(2 * (earlier.dim() - 2)));
    pad.insert(pad.end(), {0, x.size(1) - earlier.size(1)});
    earlier = at::constant_pad_nd(earlier, pad);
  }
  return earlier;
}

}  // namespace

LayerStack::LayerStack(const model::Architecture& architecture,
                       const std::vector<at::Tensor>& parameters)
    : architecture_(architecture),
      parameters_(parameters),
      added_(architecture.layers.size() + 1),
      positions_(architecture.layers.size()) {
  for (std::size_t i = 0; i < architecture.layers.size(); ++i) {
    const model::Layer& layer = architecture.layers[i];
    if (layer.kind == model::LayerKind::kAdd) {
      added_[i + 1 - layer.skip] = true;
    }
    if (layer.adds_positions) {
      positions_[i] = Sines(layer.input[1], layer.input[0]);
    }
    if (layer.kind == model::LayerKind::kCentres) {
      centres_ = parameters[layer.weight].detach();
      shares_ = parameters[layer.bias].detach();
    }
  }
}

at::Tensor LayerStack::Forward(const at::Tensor& inputs) const {
  Pass pass;
  pass.outputs.resize(added_.size());
  if (architecture_.vocabulary > 0) {
    pass.mask = inputs.ne(0).to(at::kFloat);
  }
  at::Tensor x = inputs;
  for (std::size_t i = 0; i < architecture_.layers.size(); ++i) {
    if (added_[i]) {
      pass.outputs[i] = x;
    }
    x = Apply(i, x, pass);
  }
  return x;
}

const at::Tensor& LayerStack::Parameter(const model::Layer& layer, std::size_t place) const {
  return parameters_[layer.weight + place];
}

at::Tensor LayerStack::Linear(const model::Layer& layer, const at::Tensor& x,
                              std::size_t place) const {
  const at::Tensor y = at::linear(x, Parameter(layer, place), Parameter(layer, place + 1));
  if (layer.adapter == model::kNoParameter) {
    return y;
  }
  const std::size_t adapter = layer.adapter + place;
  return y + at::linear(at::linear(x, parameters_[adapter]), parameters_[adapter + 1]);
}

at::Tensor LayerStack::Apply(std::size_t index, const at::Tensor& x, const Pass& pass) const {
  const model::Layer& layer = architecture_.layers[index];
  const auto parameter = [&](std::size_t place) { return parameters_[place]; };
  switch (layer.kind) {
    case model::LayerKind::kLinear:
      return Linear(layer, x, 0);
    case model::LayerKind::kConv2d:
      return at::conv2d(x, parameter(layer.weight), parameter(layer.bias), Square(layer.stride),
                        Square(layer.padding), Square(1), 1);
    case model::LayerKind::kConv1d:
      return at::conv1d(x, parameter(layer.weight), parameter(layer.bias), Line(layer.stride),
                        Line(layer.padding), Line(1), 1);
    case model::LayerKind::kMaxPool2d:
      return at::max_pool2d(x, Square(layer.kernel), Square(layer.stride), Square(layer.padding));
    case model::LayerKind::kAvgPool2d:
      return at::avg_pool2d(x, Square(layer.kernel), Square(layer.stride), Square(layer.padding));
    case model::LayerKind::kMaxPool1d:
      return at::max_pool1d(x, Line(layer.kernel), Line(layer.stride), Line(layer.padding));
    case model::LayerKind::kMeanPool:
      return MeanPool(layer, x, pass);
    case model::LayerKind::kGroupNorm:
      return at::group_norm(x, layer.groups, parameter(layer.weight), parameter(layer.bias),
                            model::kNormEpsilon);
    case model::LayerKind::kLayerNorm:
      return at::layer_norm(x, Signed(layer.input), parameter(layer.weight), parameter(layer.bias),
                            model::kNormEpsilon);
    case model::LayerKind::kRelu:
      return at::relu(x);
    case model::LayerKind::kTanh:
      return at::tanh(x);
    case model::LayerKind::kFlatten:
      return at::flatten(x, 1);
    case model::LayerKind::kEmbedding:
      return Embedding(layer, x, pass);
    case model::LayerKind::kGru:
      return Gru(layer, x, pass);
    case model::LayerKind::kTransformer:
      return Transformer(index, x, pass);
    case model::LayerKind::kAdd:
      return x + Shortcut(pass.outputs[index + 1 - layer.skip], x, layer.stride);
    case model::LayerKind::kCentres:
      return Centres(index, x);
  }
  return x;
}

// Distances to constants, and terms of value 0 that carry the gradients: the nearest centre's, as a
// row of an embedding times (centre - features), and -1 of each output for its share.
at::Tensor LayerStack::Centres(std::size_t index, const at::Tensor& x) const {
  const model::Layer& layer = architecture_.layers[index];
  const std::int64_t clusters = centres_.size(0);
  const std::int64_t step =
      std::max<std::int64_t>(kHeldDifferences / std::max<std::int64_t>(x.numel(), 1), 1);
  std::vector<at::Tensor> parts;
  for (std::int64_t first = 0; first < clusters; first += step) {
    const at::Tensor some = centres_.narrow(0, first, std::min(step, clusters - first));
    parts.push_back((x.unsqueeze(1) - some).square().sum({2}));
  }
  const at::Tensor distances = (parts.size() == 1 ? parts[0] : at::cat(parts, 1)) * 0.5;
  const at::Tensor nearest = std::get<1>(at::min(distances, /*dim=*/1));
  const at::Tensor constant = at::embedding(centres_, nearest);
  const at::Tensor offset = constant - x;
  const at::Tensor row = at::embedding(Parameter(layer, 0), nearest);
  const at::Tensor pulled = (row * offset - constant * offset).sum({1});
  const at::Tensor held = at::add(at::zeros_like(distances), parameters_[layer.bias]);
  return distances + pulled.unsqueeze(1) + (shares_ - held);
}

at::Tensor LayerStack::Embedding(const model::Layer& layer, const at::Tensor& x,
                                 const Pass& pass) const {
  const at::Tensor rows = at::embedding(Parameter(layer, 0), x.to(at::kLong), /*padding_idx=*/0);
  return (rows * pass.mask.unsqueeze(2)).transpose(1, 2);
}

at::Tensor LayerStack::MeanPool(const model::Layer& layer, const at::Tensor& x,
                                const Pass& pass) const {
  if (!layer.masked) {
    return at::flatten(x, 2).mean({2});
  }
  const at::Tensor tokens = pass.mask.sum({1}, /*keepdim=*/true).clamp_min(1);
  return (x * pass.mask.unsqueeze(1)).sum({2}) / tokens;
}

at::Tensor LayerStack::Gru(const model::Layer& layer, const at::Tensor& x, const Pass& pass) const {
  const std::vector<at::Tensor> weights{Parameter(layer, kInputWeight),
                                        Parameter(layer, kStateWeight),
                                        Parameter(layer, kInputBias), Parameter(layer, kStateBias)};
  const at::Tensor start =
      at::zeros({1, x.size(0), static_cast<std::int64_t>(layer.output[0])}, x.options());
  const at::Tensor states =
      std::get<0>(at::gru(x.transpose(1, 2), start, weights, /*has_biases=*/true, /*num_layers=*/1,
                          /*dropout=*/0.0, /*train=*/false, /*bidirectional=*/false,
                          /*batch_first=*/true));
  if (!layer.masked) {
    return states.select(1, states.size(1) - 1);
  }
  // 1 at the last token that is no padding, 0 elsewhere.
  const at::Tensor before = pass.mask.cumsum(1);
  const at::Tensor all = pass.mask.sum({1}, /*keepdim=*/true);
  const at::Tensor last = pass.mask * (all - before).eq(0).to(at::kFloat);
  return (states * last.unsqueeze(2)).sum({1});
}

at::Tensor LayerStack::Transformer(std::size_t index, const at::Tensor& x, const Pass& pass) const {
  const model::Layer& layer = architecture_.layers[index];
  const std::vector<std::int64_t> channels{x.size(1)};
  const auto norm = [&](const at::Tensor& of, std::size_t place) {
    return at::layer_norm(of, channels, Parameter(layer, place), Parameter(layer, place + 1),
                          model::kNormEpsilon);
  };
  at::Tensor h = x.transpose(1, 2);  // [examples, length, channels]
  if (positions_[index].defined()) {
    h = h + positions_[index];
  }
  h = h + Attention(layer, norm(h, kNorm1), pass);
  h = h + Linear(layer, at::relu(Linear(layer, norm(h, kNorm2), kFeedIn)), kFeedOut);
  return h.transpose(1, 2);
}

at::Tensor LayerStack::Attention(const model::Layer& layer, const at::Tensor& x,
                                 const Pass& pass) const {
  const std::int64_t examples = x.size(0), length = x.size(1), channels = x.size(2);
  const std::int64_t heads = layer.heads, each = channels / heads;
  const std::vector<at::Tensor> parts = Linear(layer, x, kAttentionIn).chunk(3, 2);
  const auto by_head = [&](const at::Tensor& part) {
    return part.reshape({examples, length, heads, each}).transpose(1, 2);
  };
  const at::Tensor query = by_head(parts[0]), key = by_head(parts[1]), value = by_head(parts[2]);
  at::Tensor scores = at::matmul(query, key.transpose(2, 3)) / std::sqrt(static_cast<double>(each));
  if (layer.masked) {
    scores = scores + ((pass.mask - 1) * kUnattended).unsqueeze(1).unsqueeze(1);
  }
  const at::Tensor mixed = at::matmul(at::softmax(scores, 3), value);
  return Linear(layer, mixed.transpose(1, 2).reshape({examples, length, channels}), kAttentionOut);
}

}  // namespace tutti::learn

#include "common/model/built_in.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "common/base/text.h"
#include "common/model/architecture.h"

namespace tutti::model {
namespace {

using Layers = std::vector<v1::LayerSpec>;

constexpr std::array<std::string_view, 12> kNames{"logistic",    "linear", "mlp",    "lenet5",
                                                  "resnet",      "cnn1d",  "gru",    "text_bag",
                                                  "transformer", "kmeans", "layers", "torchscript"};
constexpr std::uint32_t kDefaultWidth = 16;
constexpr std::uint32_t kBlocks = 2;    // of transformer
constexpr std::uint32_t kMaxHeads = 4;  // of transformer

v1::LayerSpec Spec(std::string_view type, std::uint32_t outputs = 0) {
  v1::LayerSpec spec;
  spec.set_type(std::string(type));
  spec.set_outputs(outputs);
  return spec;
}

v1::LayerSpec Conv(std::string_view type, std::uint32_t outputs, std::uint32_t kernel,
                   std::uint32_t padding, std::uint32_t stride = 0) {
  v1::LayerSpec spec = Spec(type, outputs);
  spec.set_kernel(kernel);
  spec.set_padding(padding);
  spec.set_stride(stride);
  return spec;
}

v1::LayerSpec GroupNorm(std::uint32_t groups) {
  v1::LayerSpec spec = Spec("group_norm");
  spec.set_groups(groups);
  return spec;
}

// Four channels a group where that divides; small groups do well under clipping, and a group of
// one channel would remove its mean.
std::uint32_t GroupsFor(std::uint32_t channels) { return channels % 4 == 0 ? channels / 4 : 1; }

std::uint32_t WidthOf(const v1::ModelSpec& spec) {
  return spec.width() == 0 ? kDefaultWidth : spec.width();
}

StatusOr<std::string> ActivationOf(const v1::ModelSpec& spec) {
  if (spec.activation().empty()) {
    return std::string("relu");
  }
  if (spec.activation() != "relu" && spec.activation() != "tanh") {
    return InvalidArgument(Join("model.activation is \"", Escaped(spec.activation(), 40),
                                "\", expected relu or tanh"));
  }
  return spec.activation();
}

Layers Mlp(const v1::ModelSpec& spec, const std::string& activation, bool flat) {
  Layers layers;
  if (!flat) {
    layers.push_back(Spec("flatten"));
  }
  for (const std::uint32_t width : spec.hidden()) {
    layers.push_back(Spec("linear", width));
    layers.push_back(Spec(activation));
  }
  layers.push_back(Spec("linear", spec.classes()));
  return layers;
}

Layers Lenet5(const v1::ModelSpec& spec, const std::string& activation) {
  const bool norm = spec.normalisation() == "group";
  Layers layers;
  const auto stage = [&](std::uint32_t channels, std::uint32_t padding, std::uint32_t groups) {
    layers.push_back(Conv("conv2d", channels, 5, padding));
    if (norm) {
      layers.push_back(GroupNorm(groups));
    }
    layers.push_back(Spec(activation));
    layers.push_back(Conv("max_pool2d", 0, 2, 0));
  };
  stage(6, 2, 2);
  stage(16, 0, 4);
  layers.push_back(Spec("flatten"));
  for (const std::uint32_t width : {120U, 84U}) {
    layers.push_back(Spec("linear", width));
    layers.push_back(Spec(activation));
  }
  layers.push_back(Spec("linear", spec.classes()));
  return layers;
}

void AddNormedConv(Layers& layers, std::string_view type, std::uint32_t channels,
                   std::uint32_t kernel, std::uint32_t stride) {
  layers.push_back(Conv(type, channels, kernel, kernel / 2, stride));
  layers.push_back(GroupNorm(GroupsFor(channels)));
}

Layers Resnet(const v1::ModelSpec& spec) {
  const std::uint32_t width = WidthOf(spec);
  Layers layers;
  AddNormedConv(layers, "conv2d", width, 3, 1);
  layers.push_back(Spec("relu"));
  for (const std::uint32_t factor : {1U, 2U, 4U}) {
    AddNormedConv(layers, "conv2d", factor * width, 3, factor == 1 ? 1 : 2);
    layers.push_back(Spec("relu"));
    AddNormedConv(layers, "conv2d", factor * width, 3, 1);
    layers.push_back(Spec("add"));
    layers.back().set_skip(6);  // what the block begins with
    layers.push_back(Spec("relu"));
  }
  layers.push_back(Spec("mean_pool"));
  layers.push_back(Spec("linear", spec.classes()));
  return layers;
}

Layers Cnn1d(const v1::ModelSpec& spec) {
  const std::uint32_t width = WidthOf(spec);
  Layers layers;
  const std::array<std::pair<std::uint32_t, std::uint32_t>, 3> stages{
      {{width, 7}, {2 * width, 5}, {width, 3}}};
  for (const auto& [channels, kernel] : stages) {
    AddNormedConv(layers, "conv1d", channels, kernel, 1);
    layers.push_back(Spec("relu"));
  }
  layers.push_back(Spec("mean_pool"));
  layers.push_back(Spec("linear", spec.classes()));
  return layers;
}

v1::LayerSpec Embedding(const v1::ModelSpec& spec) {
  v1::LayerSpec layer = Spec("embedding", WidthOf(spec));
  layer.set_vocabulary(spec.vocabulary());
  return layer;
}

Layers Transformer(const v1::ModelSpec& spec) {
  const std::uint32_t width = WidthOf(spec);
  Layers layers{Embedding(spec)};
  for (std::uint32_t i = 0; i < kBlocks; ++i) {
    layers.push_back(Spec("transformer"));
    std::uint32_t heads = kMaxHeads;
    while (width % heads != 0) --heads;
    layers.back().set_heads(heads);
  }
  layers.push_back(Spec("mean_pool"));
  layers.push_back(Spec("layer_norm"));
  layers.push_back(Spec("linear", spec.classes()));
  return layers;
}

// Keys that belong to other architectures.
Status CheckKeys(const v1::ModelSpec& spec) {
  const std::string& name = spec.architecture();
  if (name != "layers" && spec.layers_size() != 0) {
    return InvalidArgument(Join("model.layers has ", spec.layers_size(),
                                " entries, but is read only with architecture = \"layers\""));
  }
  if (name != "mlp" && spec.hidden_size() != 0) {
    return InvalidArgument("model.hidden is set, but is read only with architecture = \"mlp\"");
  }
  if (!spec.normalisation().empty() && spec.normalisation() != "none" &&
      (name != "lenet5" || spec.normalisation() != "group")) {
    return InvalidArgument(Join("model.normalisation is \"", Escaped(spec.normalisation(), 40),
                                "\", expected none, or group with architecture = \"lenet5\""));
  }
  const bool text = name == "text_bag" || name == "transformer";
  if (!text && spec.vocabulary() != 0) {
    return InvalidArgument(Join("model.vocabulary is ", spec.vocabulary(),
                                ", but is read only with architecture = \"text_bag\" or "
                                "\"transformer\"; a list of layers has it in its embedding"));
  }
  if (text && spec.vocabulary() < 2) {
    return InvalidArgument(
        Join("model.vocabulary is ", spec.vocabulary(),
             ", expected the number of tokens: at least 2, padding (token 0) and "
             "one more"));
  }
  if (name == "mlp" && spec.hidden_size() == 0) {
    return InvalidArgument(
        "model.hidden is empty, expected the width of each hidden layer, e.g. [64]");
  }
  if (name == "layers" && spec.layers_size() == 0) {
    return InvalidArgument("model.layers is empty, expected at least one layer");
  }
  return OkStatus();
}

Status CheckClasses(const v1::ModelSpec& spec) {
  if (spec.architecture() == "logistic" && spec.classes() == 1) {
    return InvalidArgument(
        "model.classes is 1, expected at least 2; use architecture = \"linear\" to predict a "
        "number");
  }
  if (spec.architecture() == "linear" && spec.classes() != 1) {
    return InvalidArgument(Join("model.classes is ", spec.classes(),
                                ", expected 1: architecture = \"linear\" predicts a number; use "
                                "\"logistic\" for classes"));
  }
  return OkStatus();
}

}  // namespace

std::vector<std::string> ArchitectureNames() { return {kNames.begin(), kNames.end()}; }

InputKind InputKindOf(const v1::ModelSpec& spec) {
  const std::string& name = spec.architecture();
  if (name == "text_bag" || name == "transformer") {
    return InputKind::kTokens;
  }
  if (name == "cnn1d" || name == "gru") {
    return InputKind::kSeries;
  }
  if (name != "layers") {
    return InputKind::kFeaturesOrImage;
  }
  for (const v1::LayerSpec& layer : spec.layers()) {
    const StatusOr<LayerKind> kind = KindOf(layer.type());
    if (!kind.ok()) {
      continue;  // reported when it is built
    }
    switch (*kind) {
      case LayerKind::kEmbedding:
        return InputKind::kTokens;
      case LayerKind::kConv1d:
      case LayerKind::kMaxPool1d:
      case LayerKind::kGru:
      case LayerKind::kTransformer:
        return InputKind::kSeries;
      case LayerKind::kConv2d:
      case LayerKind::kMaxPool2d:
      case LayerKind::kAvgPool2d:
      case LayerKind::kLinear:
      case LayerKind::kFlatten:
      case LayerKind::kMeanPool:
        return InputKind::kFeaturesOrImage;
      default:
        break;
    }
  }
  return InputKind::kFeaturesOrImage;
}

StatusOr<Layers> LayersOf(const v1::ModelSpec& spec, bool flat) {
  const std::string& name = spec.architecture();
  TUTTI_TRY(CheckKeys(spec));
  TUTTI_TRY(CheckClasses(spec));
  TUTTI_ASSIGN(const std::string activation, ActivationOf(spec));
  if (name == "logistic" || name == "linear" || name == "mlp") {
    return Mlp(spec, activation, flat);
  }
  if (name == "lenet5") {
    return Lenet5(spec, activation);
  }
  if (name == "resnet") {
    return Resnet(spec);
  }
  if (name == "cnn1d") {
    return Cnn1d(spec);
  }
  if (name == "gru") {
    return Layers{Spec("gru", WidthOf(spec)), Spec("linear", spec.classes())};
  }
  if (name == "text_bag") {
    return Layers{Embedding(spec), Spec("mean_pool"), Spec("linear", spec.classes())};
  }
  if (name == "transformer") {
    return Transformer(spec);
  }
  if (name == "kmeans") {
    Layers layers;
    if (!flat) {
      layers.push_back(Spec("flatten"));
    }
    layers.push_back(Spec("centres", spec.classes()));
    return layers;
  }
  if (name == "layers") {
    return Layers(spec.layers().begin(), spec.layers().end());
  }
  return InvalidArgument(Join("model.architecture is \"", Escaped(name, 40), "\", expected one of ",
                              JoinWith(ArchitectureNames(), ", ")));
}

}  // namespace tutti::model

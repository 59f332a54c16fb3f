#include "common/model/architecture.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "common/base/text.h"
#include "common/model/features.h"
#include "common/model/script.h"

namespace tutti::model {
namespace {

constexpr std::array<std::pair<std::string_view, LayerKind>, 9> kLayerNames{{
    {"linear", LayerKind::kLinear},
    {"conv2d", LayerKind::kConv2d},
    {"max_pool2d", LayerKind::kMaxPool2d},
    {"avg_pool2d", LayerKind::kAvgPool2d},
    {"group_norm", LayerKind::kGroupNorm},
    {"layer_norm", LayerKind::kLayerNorm},
    {"relu", LayerKind::kRelu},
    {"tanh", LayerKind::kTanh},
    {"flatten", LayerKind::kFlatten},
}};

StatusOr<LayerKind> KindOf(std::string_view type) {
  std::vector<std::string> names;
  for (const auto& [name, kind] : kLayerNames) {
    if (name == type) {
      return kind;
    }
    names.emplace_back(name);
  }
  return InvalidArgument(
      Join("type is \"", Escaped(type, 40), "\", expected one of ", JoinWith(names, ", ")));
}

std::string ShapeText(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

// Which optional fields of a LayerSpec a kind reads; a set field it does not read is a mistake in
// the job file.
struct FieldsRead {
  bool outputs = false, kernel = false, stride = false, padding = false, groups = false;
};

FieldsRead FieldsOf(LayerKind kind) {
  switch (kind) {
    case LayerKind::kLinear:
      return {.outputs = true};
    case LayerKind::kConv2d:
      return {.outputs = true, .kernel = true, .stride = true, .padding = true};
    case LayerKind::kMaxPool2d:
    case LayerKind::kAvgPool2d:
      return {.kernel = true, .stride = true, .padding = true};
    case LayerKind::kGroupNorm:
      return {.groups = true};
    case LayerKind::kLayerNorm:
    case LayerKind::kRelu:
    case LayerKind::kTanh:
    case LayerKind::kFlatten:
      return {};
  }
  return {};
}

Status CheckFields(LayerKind kind, const v1::LayerSpec& spec) {
  const FieldsRead reads = FieldsOf(kind);
  const std::array<std::pair<std::string_view, std::pair<std::uint32_t, bool>>, 5> fields{{
      {"outputs", {spec.outputs(), reads.outputs}},
      {"kernel", {spec.kernel(), reads.kernel}},
      {"stride", {spec.stride(), reads.stride}},
      {"padding", {spec.padding(), reads.padding}},
      {"groups", {spec.groups(), reads.groups}},
  }};
  for (const auto& [name, field] : fields) {
    if (field.first != 0 && !field.second) {
      return InvalidArgument(
          Join(name, " is ", field.first, " but has no meaning here; remove it"));
    }
  }
  if (reads.outputs && spec.outputs() == 0) {
    return InvalidArgument("outputs is missing or 0, expected at least 1");
  }
  if (reads.kernel && spec.kernel() == 0) {
    return InvalidArgument("kernel is missing or 0, expected at least 1 pixel");
  }
  return OkStatus();
}

// Adds layers one by one: infers the shape, checks it and lays the parameters out.
class Builder {
 public:
  explicit Builder(Architecture& target) : target_(target), shape_(target.input) {}

  const Shape& shape() const { return shape_; }

  Status Add(LayerKind kind, const v1::LayerSpec& spec) {
    TUTTI_TRY(CheckFields(kind, spec));
    Layer layer{.kind = kind, .input = shape_, .output = shape_};
    switch (kind) {
      case LayerKind::kLinear:
        TUTTI_TRY(Linear(layer, spec));
        break;
      case LayerKind::kConv2d:
        TUTTI_TRY(Slide(layer, spec, 1));
        layer.output[0] = spec.outputs();
        TUTTI_TRY(Weights(layer, {spec.outputs(), shape_[0], spec.kernel(), spec.kernel()},
                          shape_[0] * spec.kernel() * spec.kernel()));
        break;
      case LayerKind::kMaxPool2d:
      case LayerKind::kAvgPool2d:
        TUTTI_TRY(Slide(layer, spec, spec.kernel()));
        if (2 * layer.padding > layer.kernel) {
          return InvalidArgument(Join("padding is ", layer.padding,
                                      ", expected at most half the kernel of ", layer.kernel,
                                      " pixels"));
        }
        break;
      case LayerKind::kGroupNorm:
        TUTTI_TRY(GroupNorm(layer, spec));
        break;
      case LayerKind::kLayerNorm:
        TUTTI_TRY(NormParameters(layer, shape_));
        break;
      case LayerKind::kRelu:
      case LayerKind::kTanh:
        break;
      case LayerKind::kFlatten: {
        TUTTI_ASSIGN(const std::uint64_t values, ValuesOf(shape_, kMaxActivations, "the output"));
        layer.output = {values};
        break;
      }
    }
    TUTTI_TRY(ValuesOf(layer.output, kMaxActivations, "the output").status());
    shape_ = layer.output;
    target_.layers.push_back(std::move(layer));
    return OkStatus();
  }

 private:
  Status NeedImage() const {
    if (shape_.size() != 3) {
      return InvalidArgument(
          Join("input has shape ", ShapeText(shape_),
               ", expected [channels, height, width]; use it before any flatten, on images"));
    }
    return OkStatus();
  }

  Status Linear(Layer& layer, const v1::LayerSpec& spec) {
    if (shape_.size() != 1) {
      return InvalidArgument(Join("input has shape ", ShapeText(shape_),
                                  ", expected one dimension; put a flatten layer before it"));
    }
    layer.output = {spec.outputs()};
    return Weights(layer, {spec.outputs(), shape_[0]}, shape_[0]);
  }

  // Height and width after a window of `kernel` has moved over the padded image.
  Status Slide(Layer& layer, const v1::LayerSpec& spec, std::uint32_t default_stride) {
    TUTTI_TRY(NeedImage());
    layer.kernel = spec.kernel();
    layer.stride = spec.stride() == 0 ? default_stride : spec.stride();
    layer.padding = spec.padding();
    for (std::size_t i : {1U, 2U}) {
      const std::uint64_t padded = shape_[i] + 2ULL * layer.padding;
      if (padded < layer.kernel) {
        return InvalidArgument(Join("kernel is ", layer.kernel,
                                    " pixels, the padded input is only ", padded,
                                    "; use a smaller kernel or more padding"));
      }
      layer.output[i] = (padded - layer.kernel) / layer.stride + 1;
    }
    return OkStatus();
  }

  Status GroupNorm(Layer& layer, const v1::LayerSpec& spec) {
    TUTTI_TRY(NeedImage());
    layer.groups = spec.groups() == 0 ? 1 : spec.groups();
    if (shape_[0] % layer.groups != 0) {
      return InvalidArgument(
          Join("groups is ", layer.groups, ", expected a divisor of the ", shape_[0], " channels"));
    }
    if (shape_[0] / layer.groups * shape_[1] * shape_[2] < 2) {
      return InvalidArgument(
          "each group holds one value and would always become 0; use fewer groups");
    }
    return NormParameters(layer, {shape_[0]});
  }

  Status Weights(Layer& layer, Shape shape, std::uint64_t fan_in) {
    const Shape bias{shape[0]};
    TUTTI_ASSIGN(layer.weight, Append("weight", std::move(shape), fan_in, Start::kUniform));
    TUTTI_ASSIGN(layer.bias, Append("bias", bias, fan_in, Start::kUniform));
    return OkStatus();
  }

  Status NormParameters(Layer& layer, const Shape& shape) {
    TUTTI_ASSIGN(layer.weight, Append("weight", shape, 1, Start::kOne));
    TUTTI_ASSIGN(layer.bias, Append("bias", shape, 1, Start::kZero));
    return OkStatus();
  }

  StatusOr<std::size_t> Append(std::string_view role, Shape shape, std::uint64_t fan_in,
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

  Architecture& target_;
  Shape shape_;
};

v1::LayerSpec Spec(std::string_view type, std::uint32_t outputs = 0, std::uint32_t kernel = 0,
                   std::uint32_t padding = 0, std::uint32_t groups = 0) {
  v1::LayerSpec spec;
  spec.set_type(std::string(type));
  spec.set_outputs(outputs);
  spec.set_kernel(kernel);
  spec.set_padding(padding);
  spec.set_groups(groups);
  return spec;
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

std::vector<v1::LayerSpec> Mlp(const v1::ModelSpec& spec, const std::string& activation,
                               bool images) {
  std::vector<v1::LayerSpec> layers;
  if (images) {
    layers.push_back(Spec("flatten"));
  }
  for (const std::uint32_t width : spec.hidden()) {
    layers.push_back(Spec("linear", width));
    layers.push_back(Spec(activation));
  }
  layers.push_back(Spec("linear", spec.classes()));
  return layers;
}

std::vector<v1::LayerSpec> Lenet5(const v1::ModelSpec& spec, const std::string& activation) {
  const bool norm = spec.normalisation() == "group";
  std::vector<v1::LayerSpec> layers;
  const auto stage = [&](std::uint32_t channels, std::uint32_t padding, std::uint32_t groups) {
    layers.push_back(Spec("conv2d", channels, 5, padding));
    if (norm) {
      layers.push_back(Spec("group_norm", 0, 0, 0, groups));
    }
    layers.push_back(Spec(activation));
    layers.push_back(Spec("max_pool2d", 0, 2));
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

StatusOr<std::vector<v1::LayerSpec>> LayersOf(const v1::ModelSpec& spec, bool images) {
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
  TUTTI_ASSIGN(const std::string activation, ActivationOf(spec));
  if (name == "logistic" || name == "mlp") {
    if (name == "mlp" && spec.hidden_size() == 0) {
      return InvalidArgument(
          "model.hidden is empty, expected the width of each hidden layer, e.g. [64]");
    }
    return Mlp(spec, activation, images);
  }
  if (name == "lenet5") {
    return Lenet5(spec, activation);
  }
  if (name == "layers") {
    if (spec.layers_size() == 0) {
      return InvalidArgument("model.layers is empty, expected at least one layer");
    }
    return std::vector<v1::LayerSpec>(spec.layers().begin(), spec.layers().end());
  }
  return InvalidArgument(Join("model.architecture is \"", Escaped(name, 40),
                              "\", expected logistic, mlp, lenet5, layers or torchscript"));
}

// The layers of every architecture that has some.
Status BuildLayers(const v1::ModelSpec& spec, Architecture& result) {
  TUTTI_ASSIGN(const std::vector<v1::LayerSpec> layers, LayersOf(spec, result.input.size() == 3));
  Builder builder(result);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const StatusOr<LayerKind> kind = KindOf(layers[i].type());
    if (!kind.ok()) {
      return Annotate(kind.status(), Join("layer ", i + 1));
    }
    if (const Status added = builder.Add(*kind, layers[i]); !added.ok()) {
      return Annotate(added, Join("layer ", i + 1, " (", layers[i].type(), ")"));
    }
  }
  if (builder.shape() != Shape{result.classes}) {
    return InvalidArgument(Join("layer ", layers.size(), " (", layers.back().type(),
                                ") is the last and gives ", ShapeText(builder.shape()),
                                ", expected [", result.classes,
                                "]: one value for each of model.classes"));
  }
  return OkStatus();
}

StatusOr<Shape> InputOf(const v1::ModelSpec& spec) {
  Shape shape(spec.input_shape().begin(), spec.input_shape().end());
  if (shape.empty() || shape.size() > 3) {
    return InvalidArgument(
        Join("model.input_shape has ", shape.size(),
             " dimensions, expected [features], [height, width] or [channels, height, width]"));
  }
  for (const std::uint64_t size : shape) {
    if (size == 0) {
      return InvalidArgument("model.input_shape holds a 0, expected sizes of at least 1");
    }
  }
  TUTTI_TRY(ValuesOf(shape, kMaxActivations, "model.input_shape").status());
  if (shape.size() == 2) {
    shape.insert(shape.begin(), 1);
  }
  return shape;
}

}  // namespace

std::string_view LayerName(LayerKind kind) {
  for (const auto& [name, candidate] : kLayerNames) {
    if (candidate == kind) {
      return name;
    }
  }
  return "unknown";
}

StatusOr<std::uint64_t> ValuesOf(const Shape& shape, std::uint64_t limit, std::string_view what) {
  std::uint64_t values = 1;
  for (const std::uint64_t size : shape) {
    if (size != 0 && values > limit / size) {
      return ResourceExhausted(Join(what, " of shape ", ShapeText(shape), " has more than ", limit,
                                    " values; make the model smaller"));
    }
    values *= size;
  }
  return values;
}

StatusOr<Architecture> ArchitectureOf(const v1::ModelSpec& spec) {
  Architecture result;
  TUTTI_ASSIGN(result.example, InputOf(spec));
  TUTTI_ASSIGN(result.input, FeatureShape(spec, result.example));
  if (spec.classes() < 2) {
    return InvalidArgument(Join("model.classes is ", spec.classes(), ", expected at least 2"));
  }
  result.classes = spec.classes();
  if (IsScript(spec)) {
    TUTTI_TRY(DescribeScript(spec, result));
    return result;
  }
  TUTTI_TRY(CheckNoScript(spec));
  TUTTI_TRY(BuildLayers(spec, result));
  if (result.layout.values == 0) {
    return InvalidArgument(
        "the model has no parameters, expected at least one linear or conv2d layer");
  }
  return result;
}

StatusOr<Layout> LayoutOf(const v1::ModelSpec& spec) {
  TUTTI_ASSIGN(Architecture architecture, ArchitectureOf(spec));
  return std::move(architecture.layout);
}

}  // namespace tutti::model

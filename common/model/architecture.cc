#include "common/model/architecture.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/text.h"
#include "common/model/built_in.h"
#include "common/model/features.h"
#include "common/model/layer_builder.h"
#include "common/model/parts.h"
#include "common/model/script.h"

namespace tutti::model {
namespace {

// The layers of every architecture that has some.
Status BuildLayers(const v1::ModelSpec& spec, Architecture& result) {
  TUTTI_ASSIGN(const std::vector<v1::LayerSpec> layers, LayersOf(spec, result.input.size() == 1));
  LayerBuilder builder(result, spec.adapter_rank());
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

// The example's shape with the channel that model.input_shape may leave out.
StatusOr<Shape> ExampleOf(const v1::ModelSpec& spec) {
  Shape shape(spec.input_shape().begin(), spec.input_shape().end());
  const InputKind kind = InputKindOf(spec);
  if (kind == InputKind::kTokens && shape.size() != 1) {
    return InvalidArgument(Join("model.input_shape has ", shape.size(),
                                " dimensions, expected [length]: the tokens of an example"));
  }
  if (kind == InputKind::kSeries && (shape.empty() || shape.size() > 2)) {
    return InvalidArgument(Join("model.input_shape has ", shape.size(),
                                " dimensions, expected [length] or [channels, length]: a series"));
  }
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
  const std::size_t without_channel = kind == InputKind::kSeries ? 1 : 2;
  if (kind != InputKind::kTokens && shape.size() == without_channel) {
    shape.insert(shape.begin(), 1);
  }
  return shape;
}

}  // namespace

bool HasCentres(const v1::ModelSpec& spec) {
  return spec.architecture() == "kmeans" ||
         (spec.architecture() == "layers" &&
          std::any_of(spec.layers().begin(), spec.layers().end(), [](const v1::LayerSpec& layer) {
            return layer.type() == LayerName(LayerKind::kCentres);
          }));
}

std::string ShapeText(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
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
  TUTTI_ASSIGN(result.example, ExampleOf(spec));
  TUTTI_ASSIGN(result.input, FeatureShape(spec, result.example));
  if (spec.classes() == 0) {
    return InvalidArgument(
        "model.classes is 0, expected the number of classes, or 1 to predict a number");
  }
  result.classes = spec.classes();
  if (IsScript(spec)) {
    TUTTI_TRY(DescribeScript(spec, result));
    TUTTI_TRY(AssignParts(spec, result.layout));
    return result;
  }
  TUTTI_TRY(CheckNoScript(spec));
  TUTTI_TRY(BuildLayers(spec, result));
  if (result.layout.values == 0) {
    return InvalidArgument(
        "the model has no parameters, expected at least one linear or conv2d layer");
  }
  if (spec.adapter_rank() != 0 && ValuesIn(result.layout, Section::kFrozen) == 0) {
    return InvalidArgument(Join("model.adapter_rank is ", spec.adapter_rank(),
                                ", but the model has no linear layer to adapt; remove it"));
  }
  TUTTI_TRY(AssignParts(spec, result.layout));
  return result;
}

StatusOr<Layout> LayoutOf(const v1::ModelSpec& spec) {
  TUTTI_ASSIGN(Architecture architecture, ArchitectureOf(spec));
  return std::move(architecture.layout);
}

}  // namespace tutti::model

#include "common/model/layers.h"

#include <array>
#include <string>
#include <utility>

#include "common/base/text.h"

namespace tutti::model {
namespace {

constexpr std::array<std::pair<std::string_view, LayerKind>, 17> kLayerNames{{
    {"linear", LayerKind::kLinear},
    {"conv2d", LayerKind::kConv2d},
    {"max_pool2d", LayerKind::kMaxPool2d},
    {"avg_pool2d", LayerKind::kAvgPool2d},
    {"conv1d", LayerKind::kConv1d},
    {"max_pool1d", LayerKind::kMaxPool1d},
    {"mean_pool", LayerKind::kMeanPool},
    {"group_norm", LayerKind::kGroupNorm},
    {"layer_norm", LayerKind::kLayerNorm},
    {"relu", LayerKind::kRelu},
    {"tanh", LayerKind::kTanh},
    {"flatten", LayerKind::kFlatten},
    {"embedding", LayerKind::kEmbedding},
    {"gru", LayerKind::kGru},
    {"transformer", LayerKind::kTransformer},
    {"add", LayerKind::kAdd},
    {"centres", LayerKind::kCentres},
}};

// Which optional fields of a LayerSpec a kind reads; a set field it does not read is a mistake in
// the job file.
struct FieldsRead {
  bool outputs = false, kernel = false, stride = false, padding = false, groups = false;
  bool heads = false, vocabulary = false, skip = false;
};

FieldsRead FieldsOf(LayerKind kind) {
  switch (kind) {
    case LayerKind::kLinear:
    case LayerKind::kGru:
    case LayerKind::kCentres:
      return {.outputs = true};
    case LayerKind::kConv2d:
    case LayerKind::kConv1d:
      return {.outputs = true, .kernel = true, .stride = true, .padding = true};
    case LayerKind::kMaxPool2d:
    case LayerKind::kAvgPool2d:
    case LayerKind::kMaxPool1d:
      return {.kernel = true, .stride = true, .padding = true};
    case LayerKind::kGroupNorm:
      return {.groups = true};
    case LayerKind::kEmbedding:
      return {.outputs = true, .vocabulary = true};
    case LayerKind::kTransformer:
      return {.heads = true};
    case LayerKind::kAdd:
      return {.skip = true};
    case LayerKind::kMeanPool:
    case LayerKind::kLayerNorm:
    case LayerKind::kRelu:
    case LayerKind::kTanh:
    case LayerKind::kFlatten:
      return {};
  }
  return {};
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

Status CheckFields(LayerKind kind, const v1::LayerSpec& spec) {
  const FieldsRead reads = FieldsOf(kind);
  struct Field {
    std::string_view name;
    std::uint32_t value;
    bool read;
  };
  const std::array<Field, 8> fields{{
      {"outputs", spec.outputs(), reads.outputs},
      {"kernel", spec.kernel(), reads.kernel},
      {"stride", spec.stride(), reads.stride},
      {"padding", spec.padding(), reads.padding},
      {"groups", spec.groups(), reads.groups},
      {"heads", spec.heads(), reads.heads},
      {"vocabulary", spec.vocabulary(), reads.vocabulary},
      {"skip", spec.skip(), reads.skip},
  }};
  for (const Field& field : fields) {
    if (field.value != 0 && !field.read) {
      return InvalidArgument(
          Join(field.name, " is ", field.value, " but has no meaning here; remove it"));
    }
  }
  if (reads.outputs && spec.outputs() == 0) {
    return InvalidArgument("outputs is missing or 0, expected at least 1");
  }
  if (reads.kernel && spec.kernel() == 0) {
    return InvalidArgument("kernel is missing or 0, expected at least 1 pixel");
  }
  if (reads.vocabulary && spec.vocabulary() < 2) {
    return InvalidArgument(Join("vocabulary is ", spec.vocabulary(),
                                ", expected at least 2: padding (token 0) and one more"));
  }
  if (reads.skip && spec.skip() == 0) {
    return InvalidArgument(
        "skip is missing or 0, expected how many layers back the output lies that is added");
  }
  return OkStatus();
}

}  // namespace tutti::model

#include "common/learn/recognise.h"

#include <string_view>

namespace tutti::learn {
namespace {

using Arguments = at::ArrayRef<c10::IValue>;

at::Tensor TensorOf(const c10::IValue& value) {
  return value.isTensor() ? value.toTensor() : at::Tensor();
}

// One number for all spatial dimensions, or one for each.
std::vector<std::int64_t> EachOf(const c10::IValue& value, std::size_t dimensions) {
  std::vector<std::int64_t> each =
      value.isInt() ? std::vector<std::int64_t>{value.toInt()} : value.toIntVector();
  if (each.size() == 1) {
    each.resize(dimensions, each.front());
  }
  return each;
}

void SetOperands(Use& use, Arguments arguments) {
  use.input = TensorOf(arguments[0]);
  use.weight = TensorOf(arguments[1]);
  use.bias = TensorOf(arguments[2]);
}

// Places of a convolution's arguments, which its many spellings order differently.
struct Places {
  std::size_t stride = 3, padding = 4, dilation = 5, groups = 6;
  std::size_t output_padding = 0;  // 0: none
  std::size_t transposed = 0;      // of the general spellings; 0: by name
};

bool FillConvolution(Use& use, Arguments arguments, const Places& places, bool transposed) {
  SetOperands(use, arguments);
  if (places.transposed > 0) {
    transposed = arguments[places.transposed].toBool();
  }
  if (!arguments[places.padding].isIntList() && !arguments[places.padding].isInt()) {
    return false;  // padding by name
  }
  const auto spatial = static_cast<std::size_t>(std::max<std::int64_t>(use.weight.dim() - 2, 0));
  use.rule = transposed ? Rule::kConvTransposed : Rule::kConv;
  use.stride = EachOf(arguments[places.stride], spatial);
  use.padding = EachOf(arguments[places.padding], spatial);
  use.dilation = EachOf(arguments[places.dilation], spatial);
  use.groups = arguments[places.groups].toInt();
  use.output_padding.assign(spatial, 0);
  if (places.output_padding > 0) {
    use.output_padding = EachOf(arguments[places.output_padding], spatial);
  }
  return true;
}

bool FillNorm(std::string_view name, Use& use, Arguments arguments) {
  use.input = TensorOf(arguments[0]);
  if (name == "group_norm" && arguments.size() == 6) {
    use.rule = Rule::kGroupNorm;
    use.groups = arguments[1].toInt();
    use.weight = TensorOf(arguments[2]);
    use.bias = TensorOf(arguments[3]);
    use.epsilon = arguments[4].toDouble();
    return true;
  }
  if (name == "layer_norm" && arguments.size() == 6) {
    use.rule = Rule::kLayerNorm;
    use.groups = static_cast<std::int64_t>(arguments[1].toIntVector().size());
    use.weight = TensorOf(arguments[2]);
    use.bias = TensorOf(arguments[3]);
    use.epsilon = arguments[4].toDouble();
    return true;
  }
  // Running statistics are sums over examples.
  if (name == "instance_norm" && arguments.size() == 9 && !TensorOf(arguments[3]).defined() &&
      !TensorOf(arguments[4]).defined() && arguments[5].toBool()) {
    use.rule = Rule::kInstanceNorm;
    use.weight = TensorOf(arguments[1]);
    use.bias = TensorOf(arguments[2]);
    use.epsilon = arguments[7].toDouble();
    return true;
  }
  return false;
}

// A tensor of the batch plus or times a parameter that is broadcast over the examples.
bool FillBroadcast(const Tape& tape, std::string_view name, std::string_view overload,
                   Arguments arguments, Use& use) {
  if (overload != "Tensor" || (name != "add" && name != "mul") || arguments.size() < 2) {
    return false;
  }
  const at::Tensor first = TensorOf(arguments[0]), second = TensorOf(arguments[1]);
  const bool swapped = tape.Holds(first);
  use.input = swapped ? second : first;
  use.weight = swapped ? first : second;
  use.rule = name == "add" ? Rule::kAdd : Rule::kMultiply;
  return tape.Holds(use.weight) && !tape.Holds(use.input) &&
         (name == "mul" || arguments[2].toScalar().equal(1));
}

bool Fill(const Tape& tape, const c10::FunctionSchema& schema, Arguments arguments, Use& use) {
  std::string_view name = schema.name();
  constexpr std::string_view kPrefix = "aten::";
  if (name.substr(0, kPrefix.size()) != kPrefix) {
    return false;
  }
  name.remove_prefix(kPrefix.size());
  const std::string_view overload = schema.overload_name();
  if (FillBroadcast(tape, name, overload, arguments, use)) {
    return true;
  }
  if (name == "conv_transpose2d" || name == "conv_transpose1d") {
    return FillConvolution(use, arguments, {.dilation = 7, .groups = 6, .output_padding = 5}, true);
  }
  if (!overload.empty() && !(name == "_convolution" && overload == "deprecated")) {
    return false;
  }
  if (name == "linear") {
    use.rule = Rule::kLinear;
    SetOperands(use, arguments);
    return true;
  }
  if (name == "matmul" || name == "mm") {
    use.rule = Rule::kMatmul;
    use.input = TensorOf(arguments[0]);
    use.weight = TensorOf(arguments[1]);
    return tape.Holds(use.weight) && use.weight.dim() == 2;
  }
  if (name == "conv1d" || name == "conv2d" || name == "conv3d") {
    return FillConvolution(use, arguments, {}, false);
  }
  if (name == "convolution" || name == "_convolution") {
    return FillConvolution(use, arguments, {.groups = 8, .output_padding = 7, .transposed = 6},
                           false);
  }
  if (name == "embedding") {
    use.rule = Rule::kEmbedding;
    use.weight = TensorOf(arguments[0]);
    use.input = TensorOf(arguments[1]);
    use.padding_index = arguments[2].toInt();
    return !arguments[3].toBool() && !arguments[4].toBool();
  }
  return FillNorm(name, use, arguments);
}

// Rules that read the examples' values side by side know them only in rows.
bool NeedsRows(Rule rule) {
  switch (rule) {
    case Rule::kConv:
    case Rule::kConvTransposed:
    case Rule::kGroupNorm:
    case Rule::kInstanceNorm:
      return true;
    default:
      return false;
  }
}

std::string ShapeProblem(const Use& use) {
  const std::int64_t dimensions = use.input.dim();
  const std::int64_t inside = dimensions - 1 - use.place.dimension;  // after that of the examples
  if (NeedsRows(use.rule) && !use.place.IsFirst()) {
    return "a convolution or norm of something that has not one row for each example";
  }
  const std::int64_t spatial = use.weight.defined() ? use.weight.dim() - 2 : 0;
  switch (use.rule) {
    case Rule::kLinear:
    case Rule::kMatmul:
      return inside >= 1 ? "" : "a product along the dimension of the examples";
    case Rule::kConv:
      if (dimensions != spatial + 2) return "a convolution without a dimension of examples";
      return spatial == 3 && use.dilation != std::vector<std::int64_t>(3, 1)
                 ? "a three-dimensional convolution with dilation"
                 : "";
    case Rule::kConvTransposed:
      if (dimensions != spatial + 2) return "a convolution without a dimension of examples";
      return use.groups != 1 || spatial > 2
                 ? "a transposed convolution with groups or three dimensions"
                 : "";
    case Rule::kLayerNorm:
      return use.groups <= inside ? "" : "a layer_norm across examples";
    case Rule::kGroupNorm:
    case Rule::kInstanceNorm:
      return dimensions >= 2 ? "" : "a norm without a dimension of examples";
    case Rule::kEmbedding:
      return dimensions >= 1 ? "" : "an embedding without a dimension of examples";
    case Rule::kAdd:
    case Rule::kMultiply:
      return use.weight.dim() <= inside || (use.place.IsFirst() && use.weight.dim() == dimensions &&
                                            use.weight.size(0) == 1)
                 ? ""
                 : "a parameter with a value for each example of the batch";
  }
  return "";
}

}  // namespace

bool Recognise(Tape& tape, const c10::FunctionSchema& schema, Arguments arguments, Use& use) {
  if (!Fill(tape, schema, arguments, use)) {
    return false;
  }
  bool any = tape.flow.Has(use.input);
  for (const at::Tensor& used : {use.weight, use.bias}) {
    any = any || tape.Holds(used);
  }
  if (!any) {
    return false;  // constants among themselves
  }
  for (at::Tensor* used : {&use.weight, &use.bias}) {
    if (tape.Holds(*used)) {
      continue;
    }
    if (used->defined() && (used->requires_grad() || tape.flow.Has(*used))) {
      tape.Report(schema.name() + " with a weight that is computed from others");
    }
  }
  const Place* const place = tape.flow.Find(use.input);
  use.place = place != nullptr ? *place : Place();
  if (place == nullptr) {
    tape.Report(schema.name() + " of something that is not of the batch");
  } else if (const std::string problem = ShapeProblem(use); !problem.empty()) {
    tape.Report(problem);
  }
  return true;
}

}  // namespace tutti::learn

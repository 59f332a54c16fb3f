#include "common/learn/batch_flow.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace tutti::learn {
namespace {

using Arguments = at::ArrayRef<c10::IValue>;
using Names = std::unordered_set<std::string_view>;

// Each value of the result from one value of the first argument; other tensors are constants of the
// same shape for all examples.
const Names kElementwise{
    "relu",      "relu6",      "leaky_relu", "elu",        "selu",        "celu",       "gelu",
    "silu",      "mish",       "sigmoid",    "hardtanh",   "hardsigmoid", "hardswish",  "tanh",
    "softplus",  "softsign",   "exp",        "log",        "log1p",       "sqrt",       "rsqrt",
    "square",    "abs",        "neg",        "sin",        "cos",         "clamp",      "clamp_min",
    "clamp_max", "pow",        "reciprocal", "erf",        "contiguous",  "clone",      "to",
    "_to_copy",  "detach",     "alias",      "floor",      "round",       "zeros_like", "ones_like",
    "full_like", "logsigmoid", "tanhshrink", "nan_to_num", "eq",          "ne"};
// Of two tensors that are broadcast to one shape.
const Names kBroadcast{"add", "sub", "mul", "div", "maximum", "minimum", "true_divide", "where"};
// Work inside the last dimensions of each example.
const Names kPools{"max_pool1d",          "max_pool2d",          "max_pool3d",
                   "avg_pool1d",          "avg_pool2d",          "avg_pool3d",
                   "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
                   "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
                   "upsample_nearest1d",  "upsample_nearest2d",  "upsample_bilinear2d"};
// One dimension, the second argument.
const Names kAlong{"softmax", "log_softmax", "select", "slice", "narrow",
                   "squeeze", "cumsum",      "unbind", "glu",   "index_select"};
// One dimension, the third argument.
const Names kSplit{"chunk", "split", "tensor_split", "split_with_sizes"};
// A list of dimensions, the second argument.
const Names kReduce{"mean", "sum", "amax", "amin", "max", "min", "logsumexp", "norm"};
// Of numbers, not of values.
const Names kShapeQueries{"size", "sym_size", "dim", "numel", "is_floating_point"};

std::int64_t Wrapped(std::int64_t dimension, std::int64_t dimensions) {
  return dimension < 0 ? dimension + dimensions : dimension;
}

bool IsExamples(const c10::IValue& value, std::int64_t dimensions) {
  return !value.isInt() || Wrapped(value.toInt(), dimensions) == 0;
}

std::int64_t DimensionsOf(const c10::IValue& value) { return value.toTensor().dim(); }

std::string Named(std::string_view name) { return "aten::" + std::string(name); }

std::string Across(std::string_view name) {
  return Named(name) + ", along the dimension of the examples or one that is not given";
}

// Every tensor of the batch has as many dimensions as the result, so that broadcasting cannot set
// examples against each other; constants are the same for all examples.
std::string BroadcastProblem(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  std::int64_t dimensions = 0;
  for (const c10::IValue& value : arguments) {
    if (value.isTensor() && value.toTensor().defined()) {
      dimensions = std::max(dimensions, DimensionsOf(value));
    }
  }
  for (const c10::IValue& value : arguments) {
    if (!value.isTensor() || !value.toTensor().defined()) {
      continue;
    }
    const at::Tensor tensor = value.toTensor();
    const bool fits = flow.Has(tensor) ? tensor.dim() == dimensions
                                       : tensor.dim() < dimensions || tensor.size(0) == 1;
    if (!fits) {
      return Named(name) + " of tensors that set examples against each other";
    }
  }
  return {};
}

std::string ListProblem(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  if (arguments.size() < 2 || !arguments[0].isTensorList()) {
    return Named(name) + " in a form that is not known";
  }
  const auto tensors = arguments[0].toTensorList();
  const at::Tensor first = tensors.get(0);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!flow.Has(tensors.get(i))) {
      return Named(name) + " of the batch with other tensors";
    }
  }
  const std::int64_t dimensions = first.dim() + (name == "stack" ? 1 : 0);
  return IsExamples(arguments[1], dimensions) ? Across(name) : std::string();
}

std::string ShapeProblem(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  const std::int64_t dimensions = DimensionsOf(arguments[0]);
  if (name == "flatten" || name == "transpose" || name == "unflatten") {
    const bool first = IsExamples(arguments[1], dimensions);
    const bool second = name == "transpose" && IsExamples(arguments[2], dimensions);
    return first || second ? Across(name) : std::string();
  }
  if (name == "unsqueeze") {
    return IsExamples(arguments[1], dimensions + 1) ? Across(name) : std::string();
  }
  if (name == "permute") {
    const auto order = arguments[1].toIntVector();
    return order.empty() || Wrapped(order[0], dimensions) != 0 ? Across(name) : std::string();
  }
  // view and its like: with as many rows as before, each row keeps its own values in order.
  const auto sizes = arguments[1].toIntVector();
  if (sizes.empty()) {
    return Across(name);
  }
  std::int64_t others = 1;
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    others *= sizes[i];
  }
  const bool follows =
      sizes[0] == flow.examples() ||
      (sizes[0] == -1 && others * flow.examples() == arguments[0].toTensor().numel());
  return follows ? std::string() : Across(name);
}

std::string ReduceProblem(std::string_view name, Arguments arguments) {
  const std::int64_t dimensions = DimensionsOf(arguments[0]);
  const std::size_t place = name == "norm" ? 2 : 1;
  if (arguments.size() <= place) {
    return Across(name);
  }
  if (arguments[place].isInt()) {
    return IsExamples(arguments[place], dimensions) ? Across(name) : std::string();
  }
  if (!arguments[place].isIntList()) {
    return Across(name);
  }
  const auto list = arguments[place].toIntVector();
  const bool inside = !list.empty() && std::none_of(list.begin(), list.end(), [&](auto dimension) {
    return Wrapped(dimension, dimensions) == 0;
  });
  return inside ? std::string() : Across(name);
}

// Products of matrices, one or more an example; a constant factor has no more than two dimensions.
std::string ProductProblem(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  for (std::size_t i = 0; i < std::min<std::size_t>(arguments.size(), 3); ++i) {
    if (!arguments[i].isTensor() || !arguments[i].toTensor().defined()) {
      continue;
    }
    const at::Tensor tensor = arguments[i].toTensor();
    const bool constant = name == "matmul" && i == 1 && !flow.Has(tensor) && tensor.dim() <= 2;
    if (!constant && (!flow.Has(tensor) || tensor.dim() < 3)) {
      return Named(name) + " across examples";
    }
  }
  if (name == "matmul" && flow.Has(arguments[1].toTensor()) &&
      DimensionsOf(arguments[0]) != DimensionsOf(arguments[1])) {
    return "aten::matmul across examples";
  }
  return {};
}

std::string ConstantsProblem(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  for (const c10::IValue& value : arguments.slice(1)) {
    if (flow.HasAny(value)) {
      return Named(name) + " with the batch in an unknown place";
    }
  }
  return flow.HasAny(arguments[0]) ? std::string()
                                   : Named(name) + " with the batch in an unknown place";
}

// The name without "aten::"; other libraries' calls keep theirs.
std::string_view ShortName(std::string_view name) {
  constexpr std::string_view kPrefix = "aten::";
  return name.substr(0, kPrefix.size()) == kPrefix ? name.substr(kPrefix.size()) : name;
}

}  // namespace

void BatchFlow::Start(const at::Tensor& inputs) {
  rows_.clear();
  examples_ = inputs.dim() > 0 ? inputs.size(0) : 0;
  Mark(inputs);
}

bool BatchFlow::Mark(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.dim() == 0 || tensor.size(0) != examples_) {
    return false;
  }
  rows_.insert_or_assign(
      tensor.unsafeGetTensorImpl(),
      c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>(tensor.getIntrusivePtr()));
  return true;
}

bool BatchFlow::Has(const at::Tensor& tensor) const {
  return tensor.defined() && rows_.find(tensor.unsafeGetTensorImpl()) != rows_.end();
}

bool BatchFlow::HasAny(const c10::IValue& value) const {
  if (value.isTensor()) {
    return Has(value.toTensor());
  }
  if (!value.isList()) {
    return false;
  }
  for (const c10::IValue& item : value.toListRef()) {
    if (item.isTensor() && Has(item.toTensor())) {
      return true;
    }
  }
  return false;
}

std::string BatchFlow::Problem(const c10::FunctionSchema& schema, Arguments arguments) const {
  const std::string_view name = ShortName(schema.name());
  if (kShapeQueries.count(name) > 0) {
    return {};
  }
  if (name == "cat" || name == "stack" || name == "concat") {
    return ListProblem(*this, name, arguments);
  }
  if (kBroadcast.count(name) > 0) {
    return BroadcastProblem(*this, name, arguments);
  }
  if (name == "matmul" || name == "bmm" || name == "scaled_dot_product_attention") {
    const bool random = name.size() > 6 && arguments.size() > 4 && arguments[4].isDouble() &&
                        arguments[4].toDouble() != 0;
    return random ? "attention with dropout" : ProductProblem(*this, name, arguments);
  }
  if (std::string problem = ConstantsProblem(*this, name, arguments); !problem.empty()) {
    return problem;
  }
  const std::int64_t dimensions = DimensionsOf(arguments[0]);
  if (kElementwise.count(name) > 0) {
    return BroadcastProblem(*this, name, arguments);
  }
  if (kPools.count(name) > 0) {
    // Without a first dimension for examples these take the first one for channels.
    const std::int64_t spatial = name.find("3d") != name.npos   ? 3
                                 : name.find("2d") != name.npos ? 2
                                                                : 1;
    return dimensions == spatial + 2 ? std::string() : Across(name);
  }
  if (kAlong.count(name) > 0) {
    return arguments.size() < 2 || IsExamples(arguments[1], dimensions) ? Across(name)
                                                                        : std::string();
  }
  if (kSplit.count(name) > 0) {
    return arguments.size() < 3 || IsExamples(arguments[2], dimensions) ? Across(name)
                                                                        : std::string();
  }
  if (kReduce.count(name) > 0) {
    return ReduceProblem(name, arguments);
  }
  const Names shapes{"flatten",   "transpose", "unsqueeze", "permute",
                     "unflatten", "view",      "reshape",   "_unsafe_view"};
  if (shapes.count(name) > 0) {
    return ShapeProblem(*this, name, arguments);
  }
  if (name == "dropout" || name == "feature_dropout" || name == "alpha_dropout") {
    const bool idle =
        arguments.size() == 3 && (!arguments[2].toBool() || arguments[1].toDouble() == 0);
    return idle ? std::string() : Named(name) + ", whose coins are its own";
  }
  if (name == "constant_pad_nd" || name == "pad") {
    return static_cast<std::int64_t>(arguments[1].toIntVector().size()) / 2 < dimensions
               ? std::string()
               : Across(name);
  }
  return schema.name() + ", which is not known to treat every example by itself";
}

}  // namespace tutti::learn

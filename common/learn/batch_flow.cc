#include "common/learn/batch_flow.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

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
// One dimension, the second argument; these keep it.
const Names kAlong{"softmax", "log_softmax", "narrow", "cumsum", "glu", "index_select"};
// Likewise; these take it away.
const Names kTaking{"select", "unbind"};
// One dimension, the third argument.
const Names kSplit{"chunk", "split", "tensor_split", "split_with_sizes"};
// A list of dimensions, the second argument.
const Names kReduce{"mean", "sum", "amax", "amin", "max", "min", "logsumexp", "norm"};
// Values in their order into another shape.
const Names kReshape{"flatten", "unflatten", "view",        "reshape",
                     "squeeze", "unsqueeze", "_unsafe_view"};
// The dimensions in another order.
const Names kReorder{"transpose", "swapaxes", "swapdims", "permute", "t"};
// Of numbers, not of values.
const Names kShapeQueries{"size", "sym_size", "dim", "numel", "is_floating_point"};

std::int64_t Wrapped(std::int64_t dimension, std::int64_t dimensions) {
  return dimension < 0 ? dimension + dimensions : dimension;
}

// A dimension that is not known counts as that of the examples.
bool IsExamples(const c10::IValue& value, const Place& place, std::int64_t dimensions) {
  return !value.isInt() || Wrapped(value.toInt(), dimensions) == place.dimension;
}

std::int64_t DimensionsOf(const c10::IValue& value) { return value.toTensor().dim(); }

std::string Named(std::string_view name) { return "aten::" + std::string(name); }

Followed Refused(std::string problem) {
  return {.problem = std::move(problem), .place = {}, .stride = {}};
}

Followed At(const Place& place) { return {.problem = {}, .place = place, .stride = {}}; }

Followed Across(std::string_view name) {
  return Refused(Named(name) + ", along the dimension of the examples or one that is not given");
}

// Whether a constant, broadcast to that many dimensions, has one value for all examples.
bool IsSameForAll(const at::Tensor& constant, const Place& place, std::int64_t dimensions) {
  const std::int64_t aligned = place.dimension - (dimensions - constant.dim());
  return aligned < 0 || constant.size(aligned) == 1;
}

Followed Unknown(std::string_view name) {
  return Refused(Named(name) + " with the batch in an unknown place");
}

// The place where all tensors of the batch among the arguments have the examples, when constants
// are the same for all examples, so that broadcasting cannot set examples against each other.
Followed FollowBroadcast(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  std::int64_t dimensions = 0;
  const Place* place = nullptr;
  for (const c10::IValue& value : arguments) {
    if (value.isTensor() && value.toTensor().defined()) {
      dimensions = std::max(dimensions, DimensionsOf(value));
      place = place == nullptr ? flow.Find(value.toTensor()) : place;
    }
  }
  if (place == nullptr) {
    return Unknown(name);
  }
  for (const c10::IValue& value : arguments) {
    if (!value.isTensor() || !value.toTensor().defined()) {
      continue;
    }
    const at::Tensor tensor = value.toTensor();
    const Place* const own = flow.Find(tensor);
    const bool fits = own != nullptr ? tensor.dim() == dimensions && *own == *place
                                     : IsSameForAll(tensor, *place, dimensions);
    if (!fits) {
      return Refused(Named(name) + " of tensors that set examples against each other");
    }
  }
  return At(*place);
}

Followed FollowList(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  if (arguments.size() < 2 || !arguments[0].isTensorList()) {
    return Refused(Named(name) + " in a form that is not known");
  }
  const auto tensors = arguments[0].toTensorList();
  const at::Tensor first = tensors.get(0);
  const Place* const place = flow.Find(first);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Place* const own = flow.Find(tensors.get(i));
    if (place == nullptr || own == nullptr || *own != *place) {
      return Refused(Named(name) + " of the batch with other tensors");
    }
  }
  if (name != "stack") {
    return IsExamples(arguments[1], *place, first.dim()) ? Across(name) : At(*place);
  }
  if (!arguments[1].isInt()) {
    return Across(name);
  }
  Place after = *place;
  after.dimension += Wrapped(arguments[1].toInt(), first.dim() + 1) <= place->dimension ? 1 : 0;
  return At(after);
}

Followed FollowReorder(std::string_view name, Arguments arguments, const Place& place) {
  const std::int64_t dimensions = DimensionsOf(arguments[0]);
  Place after = place;
  if (name == "permute") {
    const auto order = arguments[1].toIntVector();
    const auto found = std::find_if(order.begin(), order.end(), [&](std::int64_t dimension) {
      return Wrapped(dimension, dimensions) == place.dimension;
    });
    after.dimension = found - order.begin();
    return At(after);
  }
  if (name != "t" && (arguments.size() < 3 || !arguments[1].isInt() || !arguments[2].isInt())) {
    return Refused(Named(name) + " in a form that is not known");
  }
  const std::int64_t a = name == "t" ? 0 : Wrapped(arguments[1].toInt(), dimensions);
  const std::int64_t b = name == "t" ? dimensions - 1 : Wrapped(arguments[2].toInt(), dimensions);
  after.dimension = place.dimension == a ? b : place.dimension == b ? a : place.dimension;
  return At(after);
}

std::int64_t ValuesAfter(at::IntArrayRef sizes, std::int64_t dimension) {
  std::int64_t values = 1;
  for (auto i = static_cast<std::size_t>(dimension) + 1; i < sizes.size(); ++i) {
    values *= sizes[i];
  }
  return values;
}

Followed FollowReduce(std::string_view name, Arguments arguments, const Place& place) {
  const std::int64_t dimensions = DimensionsOf(arguments[0]);
  const std::size_t at = name == "norm" ? 2 : 1;
  if (arguments.size() <= at + 1 || !arguments[at + 1].isBool()) {
    return Across(name);
  }
  std::vector<std::int64_t> reduced;
  if (arguments[at].isInt()) {
    reduced = {arguments[at].toInt()};
  } else if (arguments[at].isIntList()) {
    reduced = arguments[at].toIntVector();
  }
  Place after = place;
  for (const std::int64_t each : reduced) {
    const std::int64_t dimension = Wrapped(each, dimensions);
    if (dimension == place.dimension) {
      return Across(name);
    }
    after.dimension -= !arguments[at + 1].toBool() && dimension < place.dimension ? 1 : 0;
  }
  return reduced.empty() ? Across(name) : At(after);
}

// Products of matrices, one or more an example; a constant factor has no more than two dimensions.
Followed FollowProduct(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  const Place* place = nullptr;
  std::int64_t dimensions = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(arguments.size(), 3); ++i) {
    if (!arguments[i].isTensor() || !arguments[i].toTensor().defined()) {
      continue;
    }
    const at::Tensor tensor = arguments[i].toTensor();
    const Place* const own = flow.Find(tensor);
    if (name == "matmul" && i == 1 && own == nullptr && tensor.dim() <= 2) {
      continue;
    }
    place = place == nullptr ? own : place;
    dimensions = dimensions == 0 ? tensor.dim() : dimensions;
    const bool fits = own != nullptr && *own == *place && tensor.dim() == dimensions &&
                      own->dimension < dimensions - 2;
    if (!fits) {
      return Refused(Named(name) + " across examples");
    }
  }
  const bool mask = arguments.size() > 3 && flow.HasAny(arguments[3]);
  return place == nullptr || mask ? Unknown(name) : At(*place);
}

// A constant plus products of matrices: attention's mask and scores.
Followed FollowMasked(const BatchFlow& flow, std::string_view name, Arguments arguments) {
  Followed followed = FollowProduct(flow, name, arguments.slice(1, 2));
  if (followed.problem.empty() &&
      (flow.HasAny(arguments[0]) ||
       !IsSameForAll(arguments[0].toTensor(), followed.place, DimensionsOf(arguments[1])))) {
    return Refused(Named(name) + " with a mask of its own for each example");
  }
  return followed;
}

// Whether the first argument is the only tensor of the batch.
bool IsOfFirst(const BatchFlow& flow, Arguments arguments) {
  const auto others = arguments.slice(1);
  return arguments[0].isTensor() && flow.HasAny(arguments[0]) &&
         std::none_of(others.begin(), others.end(),
                      [&](const c10::IValue& value) { return flow.HasAny(value); });
}

// All of a dimension, as x[:, 0] has it for the first one.
bool IsWholeSlice(Arguments arguments, const Place& place) {
  const std::int64_t size = arguments[0].toTensor().size(place.dimension);
  return arguments.size() == 5 && (arguments[2].isNone() || arguments[2].toInt() == 0) &&
         (arguments[3].isNone() || arguments[3].toInt() >= size) && arguments[4].toInt() == 1;
}

// Of calls along one dimension or a few, which are not that of the examples.
std::optional<Followed> FollowAlong(std::string_view name, Arguments arguments,
                                    const Place& place) {
  const std::int64_t dimensions = DimensionsOf(arguments[0]);
  const auto along = [&](std::size_t argument) {
    return arguments.size() <= argument || IsExamples(arguments[argument], place, dimensions);
  };
  if (name == "slice") {
    return along(1) && !IsWholeSlice(arguments, place) ? Across(name) : At(place);
  }
  if (kAlong.count(name) > 0) {
    return along(1) ? Across(name) : At(place);
  }
  if (kTaking.count(name) > 0) {
    Place after = place;
    after.dimension -=
        !along(1) && Wrapped(arguments[1].toInt(), dimensions) < place.dimension ? 1 : 0;
    return along(1) ? Across(name) : At(after);
  }
  if (kSplit.count(name) > 0) {
    return along(2) ? Across(name) : At(place);
  }
  if (kReduce.count(name) > 0) {
    return FollowReduce(name, arguments, place);
  }
  if (kReorder.count(name) > 0) {
    return FollowReorder(name, arguments, place);
  }
  if (name == "constant_pad_nd" || name == "pad") {
    const auto padded = static_cast<std::int64_t>(arguments[1].toIntVector().size()) / 2;
    return place.dimension < dimensions - padded ? At(place) : Across(name);
  }
  return std::nullopt;
}

// The name without "aten::"; other libraries' calls keep theirs.
std::string_view ShortName(std::string_view name) {
  constexpr std::string_view kPrefix = "aten::";
  return name.substr(0, kPrefix.size()) == kPrefix ? name.substr(kPrefix.size()) : name;
}

}  // namespace

void BatchFlow::Start(const at::Tensor& inputs) {
  marked_.clear();
  examples_ = inputs.dim() > 0 ? inputs.size(0) : 0;
  Mark(inputs);
}

bool BatchFlow::Mark(const at::Tensor& tensor, const Place& place) {
  if (!tensor.defined() || tensor.dim() <= place.dimension ||
      tensor.size(place.dimension) != place.outer * examples_ * place.inner) {
    return false;
  }
  marked_.insert_or_assign(
      tensor.unsafeGetTensorImpl(),
      Marked{c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>(
                 tensor.getIntrusivePtr()),
             place});
  return true;
}

bool BatchFlow::MarkResult(const at::Tensor& tensor, const Followed& followed) {
  if (!followed.stride) {
    return Mark(tensor, followed.place);
  }
  // The dimension whose places count the examples: with two or more there is one at most.
  for (std::int64_t i = 0; i < tensor.dim(); ++i) {
    const std::int64_t after = ValuesAfter(tensor.sizes(), i);
    if (after <= 0 || *followed.stride % after != 0) {
      continue;
    }
    const std::int64_t inner = *followed.stride / after;
    if (inner > 0 && tensor.size(i) % (inner * examples_) == 0) {
      return Mark(tensor, {i, tensor.size(i) / (inner * examples_), inner});
    }
  }
  return false;
}

const Place* BatchFlow::Find(const at::Tensor& tensor) const {
  const auto found = tensor.defined() ? marked_.find(tensor.unsafeGetTensorImpl()) : marked_.end();
  return found == marked_.end() ? nullptr : &found->second.place;
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

Followed BatchFlow::Follow(const c10::FunctionSchema& schema, Arguments arguments) const {
  const std::string_view name = ShortName(schema.name());
  if (kShapeQueries.count(name) > 0) {
    return {};
  }
  if (name == "cat" || name == "stack" || name == "concat") {
    return FollowList(*this, name, arguments);
  }
  if (kBroadcast.count(name) > 0) {
    return FollowBroadcast(*this, name, arguments);
  }
  if (name == "matmul" || name == "bmm" || name == "scaled_dot_product_attention") {
    const bool random = name.size() > 6 && arguments.size() > 4 && arguments[4].isDouble() &&
                        arguments[4].toDouble() != 0;
    return random ? Refused("attention with dropout") : FollowProduct(*this, name, arguments);
  }
  if (name == "baddbmm") {
    return FollowMasked(*this, name, arguments);
  }
  if (!IsOfFirst(*this, arguments)) {
    return Unknown(name);
  }
  const at::Tensor tensor = arguments[0].toTensor();
  const Place place = *Find(tensor);
  if (kElementwise.count(name) > 0) {
    return FollowBroadcast(*this, name, arguments);
  }
  if (kPools.count(name) > 0) {
    // Without a first dimension for examples these take the first one for channels.
    const std::int64_t spatial = name.find("3d") != name.npos   ? 3
                                 : name.find("2d") != name.npos ? 2
                                                                : 1;
    return place.IsFirst() && tensor.dim() == spatial + 2 ? At(place) : Across(name);
  }
  if (kReshape.count(name) > 0 && schema.overload_name() != "dtype") {
    return {.problem = {},
            .place = {},
            .stride = place.inner * ValuesAfter(tensor.sizes(), place.dimension)};
  }
  if (std::optional<Followed> followed = FollowAlong(name, arguments, place)) {
    return *std::move(followed);
  }
  if (name == "dropout" || name == "feature_dropout" || name == "alpha_dropout") {
    const bool idle =
        arguments.size() == 3 && (!arguments[2].toBool() || arguments[1].toDouble() == 0);
    return idle ? At(place) : Refused(Named(name) + ", whose coins are its own");
  }
  return Refused(schema.name() + ", which is not known to treat every example by itself");
}

at::Tensor BatchFlow::ExamplesFirst(const at::Tensor& tensor, const Place& place) const {
  if (place.IsFirst()) {
    return tensor;
  }
  const at::Tensor moved = tensor.movedim(place.dimension, 0);
  std::vector<std::int64_t> shape{place.outer, examples_, place.inner};
  shape.insert(shape.end(), moved.sizes().begin() + 1, moved.sizes().end());
  return moved.reshape(shape).movedim(1, 0);
}

}  // namespace tutti::learn

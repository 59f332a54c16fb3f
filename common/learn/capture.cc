#include "common/learn/capture.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

namespace tutti::learn {
namespace {

// A dispatch key that LibTorch keeps free for experiments of this kind: it has no kernels of its
// own and comes before automatic differentiation, so composite calls arrive undivided. The same in
// LibTorch 1.13 and 2.x.
constexpr c10::DispatchKey kKey = c10::DispatchKey::TESTING_ONLY_GenericMode;

// The fallback below is one function for the whole process: only a thread-local can tell it whose
// call it sees.
thread_local Tape* current_tape = nullptr;

// Calls without parameters that treat every example by itself. flatten is checked further.
constexpr std::array<std::string_view, 5> kPerExample{
    "aten::relu", "aten::tanh", "aten::max_pool2d", "aten::avg_pool2d", "aten::flatten"};

bool IsParameter(const Tape& tape, const at::Tensor& tensor) {
  return tensor.defined() &&
         std::any_of(tape.parameters.begin(), tape.parameters.end(),
                     [&](const at::Tensor& parameter) { return parameter.is_same(tensor); });
}

bool HoldsParameter(const Tape& tape, const c10::IValue& value) {
  if (value.isTensor()) {
    return IsParameter(tape, value.toTensor());
  }
  if (value.isList()) {
    const auto list = value.toList();
    for (std::size_t i = 0; i < list.size(); ++i) {
      const c10::IValue item = list.get(i);
      if (item.isTensor() && IsParameter(tape, item.toTensor())) {
        return true;
      }
    }
  }
  return false;
}

void Report(Tape& tape, std::string text) {
  if (tape.problem.empty()) {
    tape.problem = std::move(text);
  }
}

at::Tensor TensorOf(const c10::IValue& value) {
  return value.isTensor() ? value.toTensor() : at::Tensor();
}

std::vector<std::int64_t> PairOf(const c10::IValue& value) {
  if (value.isInt()) {
    return {value.toInt(), value.toInt()};
  }
  std::vector<std::int64_t> pair = value.toIntVector();
  if (pair.size() == 1) {
    pair.push_back(pair.front());
  }
  return pair;
}

// The Use that a call with these arguments is; reports when it is none.
bool Recognise(Tape& tape, const c10::FunctionSchema& schema, at::ArrayRef<c10::IValue> arguments,
               Use& use) {
  const std::string& name = schema.name();
  if (!schema.overload_name().empty()) {
    return false;
  }
  if (name == "aten::linear" && arguments.size() == 3) {
    use.rule = Rule::kLinear;
    use.input = TensorOf(arguments[0]);
    use.weight = TensorOf(arguments[1]);
    use.bias = TensorOf(arguments[2]);
  } else if (name == "aten::conv2d" && arguments.size() == 7) {
    use.rule = Rule::kConv2d;
    use.input = TensorOf(arguments[0]);
    use.weight = TensorOf(arguments[1]);
    use.bias = TensorOf(arguments[2]);
    use.stride = PairOf(arguments[3]);
    use.padding = PairOf(arguments[4]);
    use.dilation = PairOf(arguments[5]);
    use.groups = arguments[6].toInt();
  } else if (name == "aten::group_norm" && arguments.size() == 6) {
    use.rule = Rule::kGroupNorm;
    use.input = TensorOf(arguments[0]);
    use.groups = arguments[1].toInt();
    use.weight = TensorOf(arguments[2]);
    use.bias = TensorOf(arguments[3]);
    use.epsilon = arguments[4].toDouble();
  } else if (name == "aten::layer_norm" && arguments.size() == 6) {
    use.rule = Rule::kLayerNorm;
    use.input = TensorOf(arguments[0]);
    use.weight = TensorOf(arguments[2]);
    use.bias = TensorOf(arguments[3]);
    use.epsilon = arguments[4].toDouble();
    if (arguments[1].toIntVector() != use.input.sizes().slice(1).vec()) {
      Report(tape, "a layer_norm over a part of the example");
    }
  } else {
    return false;
  }
  if (use.rule == Rule::kLinear && use.input.dim() != 2) {
    Report(tape, "a linear call on an input that is not [examples, features]");
  }
  if (use.rule == Rule::kConv2d && (use.groups != 1 || use.input.dim() != 4)) {
    Report(tape, "a conv2d call with groups or without a batch dimension");
  }
  if (IsParameter(tape, use.input)) {
    Report(tape, "a parameter as the input of " + name);
  }
  for (const at::Tensor& used : {use.weight, use.bias}) {
    if (used.defined() && !IsParameter(tape, used)) {
      Report(tape, name + " with a weight that is not a parameter itself");
    }
    for (const Use& earlier : tape.uses) {
      if (used.defined() && (used.is_same(earlier.weight) || used.is_same(earlier.bias))) {
        Report(tape, "a parameter that two calls share");
      }
    }
  }
  return true;
}

void CheckPlainCall(Tape& tape, const c10::FunctionSchema& schema,
                    at::ArrayRef<c10::IValue> arguments) {
  const std::string& name = schema.name();
  for (const c10::IValue& argument : arguments) {
    if (HoldsParameter(tape, argument)) {
      Report(tape, "a parameter as an argument of " + name);
      return;
    }
  }
  if (std::find(kPerExample.begin(), kPerExample.end(), name) == kPerExample.end()) {
    Report(tape, name + ", which is not known to treat every example by itself");
  } else if (name == "aten::flatten" &&
             (arguments.size() != 3 || !arguments[1].isInt() || arguments[1].toInt() < 1)) {
    Report(tape, "a flatten across examples");
  }
}

void Watch(const c10::OperatorHandle& op, c10::DispatchKeySet, torch::jit::Stack* stack) {
  const c10::impl::ExcludeDispatchKeyGuard below(kKey);
  Tape* const tape = current_tape;
  if (tape == nullptr) {
    op.callBoxed(stack);
    return;
  }
  const std::size_t count = op.schema().arguments().size();
  const at::ArrayRef<c10::IValue> arguments(stack->data() + (stack->size() - count), count);
  Use use;
  const bool recognised = Recognise(*tape, op.schema(), arguments, use);
  if (!recognised) {
    CheckPlainCall(*tape, op.schema(), arguments);
  }
  op.callBoxed(stack);
  if (recognised) {
    use.output = stack->back().toTensor();
    tape->uses.push_back(std::move(use));
  }
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&Watch>());
}

}  // namespace

struct Recording::Mode {
  c10::impl::IncludeDispatchKeyGuard include{kKey};
};

Recording::Recording(Tape& tape) : mode_(std::make_unique<Mode>()) { current_tape = &tape; }

Recording::~Recording() { current_tape = nullptr; }

}  // namespace tutti::learn

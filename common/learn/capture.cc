#include "common/learn/capture.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include "common/learn/recognise.h"
#include "common/learn/recurrent.h"

namespace tutti::learn {
namespace {

// A dispatch key that LibTorch keeps free for experiments of this kind: it has no kernels of its
// own and comes before automatic differentiation, so composite calls arrive undivided. The same in
// LibTorch 1.13 and 2.x.
constexpr c10::DispatchKey kKey = c10::DispatchKey::TESTING_ONLY_GenericMode;

// The fallback below is one function for the whole process: only a thread-local can tell it whose
// call it sees.
thread_local Tape* current_tape = nullptr;
thread_local const Substitution* current_substitution = nullptr;

// Calls that overwrite their first argument and are carried out on a copy instead: the values a
// rule needs stay what they were. A model that reads the old tensor afterwards computes something
// else then; comparing with single examples finds that (per_example.h).
constexpr std::array<std::string_view, 16> kCopied{
    "aten::relu_", "aten::relu6_",   "aten::leaky_relu_", "aten::elu_",
    "aten::silu_", "aten::gelu_",    "aten::hardtanh_",   "aten::hardswish_",
    "aten::tanh_", "aten::sigmoid_", "aten::add_",        "aten::sub_",
    "aten::mul_",  "aten::div_",     "aten::clamp_",      "aten::hardsigmoid_"};

bool HasParameter(const Tape& tape, const c10::IValue& value) {
  if (value.isTensor()) {
    return tape.Holds(value.toTensor());
  }
  if (!value.isList()) {
    return false;
  }
  for (const c10::IValue& item : value.toListRef()) {
    if (item.isTensor() && tape.Holds(item.toTensor())) {
      return true;
    }
  }
  return false;
}

void MarkResult(Tape& tape, const c10::IValue& result, const Followed& followed,
                const std::string& name) {
  if (result.isTensor()) {
    if (result.toTensor().defined() && !tape.flow.MarkResult(result.toTensor(), followed)) {
      tape.Report(name + ", which changes the number of examples");
    }
  } else if (result.isTensorList()) {
    for (const at::Tensor& tensor : result.toTensorVector()) {
      MarkResult(tape, tensor, followed, name);
    }
  }
}

// A call without a rule: nothing to do with the batch, or one that treats each example by itself.
void CallPlainly(Tape& tape, const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::FunctionSchema& schema = op.schema();
  const std::size_t count = schema.arguments().size();
  const at::ArrayRef<c10::IValue> arguments(stack->data() + (stack->size() - count), count);
  bool parameter = false, batch = false;
  for (const c10::IValue& argument : arguments) {
    parameter = parameter || HasParameter(tape, argument);
    batch = batch || tape.flow.HasAny(argument);
  }
  Followed followed;
  std::string& problem = followed.problem;
  if (parameter) {
    problem = "a parameter as an argument of " + schema.name();
  } else if (schema.is_mutable()) {
    problem = schema.name() + ", which overwrites a tensor";
  } else if (batch) {
    followed = tape.flow.Follow(schema, arguments);
  }
  if (!problem.empty()) {
    tape.Report(problem);
  }
  op.callBoxed(stack);
  if (batch && tape.problem.empty()) {
    for (std::size_t i = stack->size() - schema.returns().size(); i < stack->size(); ++i) {
      MarkResult(tape, (*stack)[i], followed, schema.name());
    }
  }
}

void CallByRule(Tape& tape, const c10::OperatorHandle& op, torch::jit::Stack* stack, Use use) {
  op.callBoxed(stack);
  use.output = stack->back().toTensor();
  if (!tape.flow.Mark(use.output, use.place)) {
    tape.Report(op.schema().name() + ", which changes the number of examples");
  }
  if (tape.Holds(use.weight) || tape.Holds(use.bias)) {  // frozen weights have no gradient
    tape.uses.push_back(std::move(use));
  }
}

void Watch(const c10::OperatorHandle& handle, c10::DispatchKeySet, torch::jit::Stack* stack) {
  const c10::impl::ExcludeDispatchKeyGuard below(kKey);
  Tape* const tape = current_tape;
  c10::OperatorHandle op = handle;
  if (tape == nullptr) {
    for (std::size_t i = stack->size() - op.schema().arguments().size();
         current_substitution != nullptr && i < stack->size(); ++i) {
      current_substitution->Apply((*stack)[i]);
    }
    op.callBoxed(stack);
    return;
  }
  std::string name = op.schema().name();
  if (std::find(kCopied.begin(), kCopied.end(), name) != kCopied.end()) {
    name.pop_back();
    if (const auto copying =
            c10::Dispatcher::singleton().findSchema({name, op.schema().overload_name()})) {
      op = *copying;
    }
  }
  const std::size_t count = op.schema().arguments().size();
  const at::ArrayRef<c10::IValue> arguments(stack->data() + (stack->size() - count), count);
  if (RecurrentResult result; RunRecurrent(*tape, op.schema(), arguments, result)) {
    torch::jit::drop(*stack, count);
    for (at::Tensor& tensor : result) {
      stack->push_back(std::move(tensor));
    }
    return;
  }
  Use use;
  if (Recognise(*tape, op.schema(), arguments, use)) {
    CallByRule(*tape, op, stack, std::move(use));
  } else {
    CallPlainly(*tape, op, stack);
  }
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&Watch>());
}

}  // namespace

bool Tape::Holds(const at::Tensor& tensor) const {
  return tensor.defined() &&
         std::any_of(parameters.begin(), parameters.end(),
                     [&](const at::Tensor& parameter) { return parameter.is_same(tensor); });
}

void Tape::Report(std::string text) {
  if (problem.empty()) {
    problem = std::move(text);
  }
}

struct Recording::Mode {
  c10::impl::IncludeDispatchKeyGuard include{kKey};
};

Recording::Recording(Tape& tape) : mode_(std::make_unique<Mode>()) { current_tape = &tape; }

Recording::~Recording() { current_tape = nullptr; }

struct Substitution::Mode {
  c10::impl::IncludeDispatchKeyGuard include{kKey};
};

Substitution::Substitution(const std::vector<at::Tensor>& originals,
                           const std::vector<at::Tensor>& replacements)
    : originals_(originals), replacements_(replacements), mode_(std::make_unique<Mode>()) {
  current_substitution = this;
}

Substitution::~Substitution() { current_substitution = nullptr; }

void Substitution::Apply(c10::IValue& argument) const {
  const auto replaced = [&](const at::Tensor& tensor) {
    for (std::size_t i = 0; i < originals_.size(); ++i) {
      if (tensor.defined() && tensor.is_same(originals_[i])) {
        return replacements_[i];
      }
    }
    return tensor;
  };
  if (argument.isTensor()) {
    argument = replaced(argument.toTensor());
  } else if (argument.isTensorList()) {
    std::vector<at::Tensor> list;
    for (const at::Tensor& tensor : argument.toTensorVector()) {
      list.push_back(replaced(tensor));
    }
    argument = c10::IValue(std::move(list));
  }
}

at::Tensor RecordedLinear(Tape& tape, const at::Tensor& input, const at::Tensor& weight,
                          const at::Tensor& bias) {
  Use use;
  use.rule = Rule::kLinear;
  use.input = input;
  use.weight = weight;
  use.bias = bias;
  use.output = at::linear(input, weight, bias);
  at::Tensor output = use.output;
  if (tape.Holds(weight) || tape.Holds(bias)) {
    tape.uses.push_back(std::move(use));
  }
  return output;
}

}  // namespace tutti::learn

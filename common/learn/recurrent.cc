#include "common/learn/recurrent.h"

#include <algorithm>
#include <utility>

namespace tutti::learn {
namespace {

// One direction of one layer.
struct Cell {
  at::Tensor input_weight, hidden_weight;
  at::Tensor input_bias, hidden_bias;  // undefined: none
};

struct Carried {
  at::Tensor hidden;
  at::Tensor memory;  // LSTM
};

Carried LstmStep(const at::Tensor& gates, const Carried& before) {
  const std::vector<at::Tensor> parts = gates.chunk(4, 1);
  const at::Tensor memory =
      at::sigmoid(parts[1]) * before.memory + at::sigmoid(parts[0]) * at::tanh(parts[2]);
  return {at::sigmoid(parts[3]) * at::tanh(memory), memory};
}

Carried GruStep(const at::Tensor& from_input, const at::Tensor& from_hidden,
                const Carried& before) {
  const std::vector<at::Tensor> x = from_input.chunk(3, 1), h = from_hidden.chunk(3, 1);
  const at::Tensor reset = at::sigmoid(x[0] + h[0]);
  const at::Tensor update = at::sigmoid(x[1] + h[1]);
  const at::Tensor candidate = at::tanh(x[2] + reset * h[2]);
  return {candidate + update * (before.hidden - candidate), {}};
}

// `input` is [examples, steps, features]; the output [examples, steps, hidden].
at::Tensor RunDirection(Tape& tape, const Cell& cell, const at::Tensor& input, bool is_lstm,
                        bool backwards, Carried& carried) {
  const std::int64_t steps = input.size(1);
  const at::Tensor from_input = RecordedLinear(tape, input, cell.input_weight, cell.input_bias);
  std::vector<at::Tensor> outputs(static_cast<std::size_t>(steps));
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t step = backwards ? steps - 1 - i : i;
    const at::Tensor from_hidden =
        RecordedLinear(tape, carried.hidden, cell.hidden_weight, cell.hidden_bias);
    const at::Tensor x = from_input.select(1, step);
    carried = is_lstm ? LstmStep(x + from_hidden, carried) : GruStep(x, from_hidden, carried);
    outputs[static_cast<std::size_t>(step)] = carried.hidden;
  }
  return at::stack(outputs, 1);
}

struct Call {
  at::Tensor input;
  std::vector<at::Tensor>
      start;  // h_0 and, for an LSTM, c_0: [layers * directions, examples, hidden]
  std::vector<at::Tensor> parameters;
  bool is_lstm = false, has_biases = false, bidirectional = false, batch_first = false;
  std::int64_t layers = 0;
};

std::string ProblemOf(const Tape& tape, const Call& call, double dropout, bool train) {
  const auto examples = tape.flow.examples();
  const Place* const place = tape.flow.Find(call.input);
  const Place expected{.dimension = call.batch_first ? 0 : 1};
  if (call.input.dim() != 3 || place == nullptr || *place != expected) {
    return call.batch_first ? "a recurrent layer of something that has not one row for each example"
                            : "a recurrent layer without batch_first of something whose second "
                              "dimension is not that of the examples";
  }
  if (dropout != 0 && train) {
    return "a recurrent layer with dropout, whose coins are its own";
  }
  const std::size_t per_cell = call.has_biases ? 4 : 2;
  const auto cells = static_cast<std::size_t>(call.layers) * (call.bidirectional ? 2U : 1U);
  if (call.parameters.size() != cells * per_cell) {
    return "a recurrent layer with projections";
  }
  for (const at::Tensor& parameter : call.parameters) {
    if (!tape.Holds(parameter) && parameter.requires_grad()) {
      return "a recurrent layer with weights computed from others";
    }
  }
  for (const at::Tensor& start : call.start) {
    if (tape.Holds(start) || start.requires_grad() || tape.flow.Has(start) || start.dim() != 3 ||
        start.size(1) != examples) {
      return "a recurrent layer whose first state is not constant";
    }
  }
  return {};
}

Cell CellOf(const Call& call, std::size_t index) {
  const std::size_t first = index * (call.has_biases ? 4 : 2);
  Cell cell{call.parameters[first], call.parameters[first + 1], {}, {}};
  if (call.has_biases) {
    cell.input_bias = call.parameters[first + 2];
    cell.hidden_bias = call.parameters[first + 3];
  }
  return cell;
}

RecurrentResult Run(Tape& tape, const Call& call) {
  at::Tensor x = call.batch_first ? call.input : call.input.transpose(0, 1);
  std::vector<at::Tensor> hidden, memory;
  const std::int64_t directions = call.bidirectional ? 2 : 1;
  for (std::int64_t layer = 0; layer < call.layers; ++layer) {
    std::vector<at::Tensor> outputs;
    for (std::int64_t direction = 0; direction < directions; ++direction) {
      const std::int64_t index = layer * directions + direction;
      Carried carried{call.start[0].select(0, index),
                      call.is_lstm ? call.start[1].select(0, index) : at::Tensor()};
      outputs.push_back(RunDirection(tape, CellOf(call, static_cast<std::size_t>(index)), x,
                                     call.is_lstm, direction == 1, carried));
      hidden.push_back(carried.hidden);
      memory.push_back(carried.memory);
    }
    x = directions == 1 ? outputs[0] : at::cat(outputs, 2);
  }
  const Place second{.dimension = 1};
  RecurrentResult result{call.batch_first ? x : x.transpose(0, 1), at::stack(hidden, 0)};
  tape.flow.Mark(result[0], call.batch_first ? Place() : second);
  tape.flow.Mark(result[1], second);
  if (call.is_lstm) {
    result.push_back(at::stack(memory, 0));
    tape.flow.Mark(result[2], second);
  }
  return result;
}

}  // namespace

bool RunRecurrent(Tape& tape, const c10::FunctionSchema& schema,
                  at::ArrayRef<c10::IValue> arguments, RecurrentResult& result) {
  const bool is_lstm = schema.name() == "aten::lstm";
  if ((!is_lstm && schema.name() != "aten::gru") || schema.overload_name() != "input" ||
      !tape.problem.empty()) {
    return false;
  }
  Call call;
  call.is_lstm = is_lstm;
  call.input = arguments[0].toTensor();
  call.start =
      is_lstm ? arguments[1].toTensorVector() : std::vector<at::Tensor>{arguments[1].toTensor()};
  call.parameters = arguments[2].toTensorVector();
  call.has_biases = arguments[3].toBool();
  call.layers = arguments[4].toInt();
  call.bidirectional = arguments[7].toBool();
  call.batch_first = arguments[8].toBool();
  std::string problem = ProblemOf(tape, call, arguments[5].toDouble(), arguments[6].toBool());
  if (!problem.empty()) {
    tape.Report(std::move(problem));
    return false;
  }
  result = Run(tape, call);
  return true;
}

}  // namespace tutti::learn

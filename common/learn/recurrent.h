// Recurrent layers as the linear calls they are made of: LibTorch computes an LSTM or GRU in one
// call whose per-example gradients nobody can take apart. Gates and order as in torch.nn.LSTM and
// torch.nn.GRU. Internal to common/learn (torch types). Thread safety: confined to the tape's
// thread.
#pragma once

#include <vector>

#include "common/learn/capture.h"

namespace tutti::learn {

using RecurrentResult = std::vector<at::Tensor>;  // output, h_n and, for an LSTM, c_n

// False when the call is no lstm or gru over [examples, steps, features]. Otherwise it is carried
// out and its linear parts are recorded; what the rules do not cover is reported to the tape.
bool RunRecurrent(Tape& tape, const c10::FunctionSchema& schema,
                  at::ArrayRef<c10::IValue> arguments, RecurrentResult& result);

}  // namespace tutti::learn

// Which calls the rules for per-example gradients cover. Internal to common/learn (torch types).
// Thread safety: confined to the tape's thread.
#pragma once

#include "common/learn/capture.h"

namespace tutti::learn {

// True and filled in when a call with these arguments is covered by a rule; problems of such a call
// are reported to the tape. The call has not been made yet.
bool Recognise(Tape& tape, const c10::FunctionSchema& schema, at::ArrayRef<c10::IValue> arguments,
               Use& use);

}  // namespace tutti::learn

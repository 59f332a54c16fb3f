// What a liar does to a message that was right: one field lost, changed, doubled or moved. Bytes
// that fuzzing would have to guess stay right around the change. Thread safety: pure functions.
#pragma once

#include <google/protobuf/message.h>

#include "tests/fuzz/source.h"

namespace tutti::fuzz {

void Tamper(google::protobuf::Message& message, Source& source);

}  // namespace tutti::fuzz

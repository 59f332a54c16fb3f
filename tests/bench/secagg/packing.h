// Values of common/secagg as the bytes that would travel, and back with every check of common/wire.
// Thread safety: pure functions.
#pragma once

#include <string>

#include "common/wire/secagg.h"

namespace tutti::bench {

template <typename Message, typename Value>
std::string Pack(const Value& value) {
  Message message;
  wire::ToProto(value, &message);
  return message.SerializeAsString();
}

template <typename Message>
auto Unpack(const std::string& bytes) -> decltype(wire::FromProto(Message())) {
  Message message;
  if (!message.ParseFromString(bytes)) {
    return InvalidArgument("message of the bench does not parse");
  }
  return wire::FromProto(message);
}

}  // namespace tutti::bench

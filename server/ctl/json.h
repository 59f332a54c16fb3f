// Replies as JSON documents with stable keys: the field names of admin.proto.
// Thread safety: pure functions.
#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace tutti::ctl {

// The message as one indented JSON document with every field: numbers as numbers, byte strings in
// hexadecimal, absent messages as null, accuracy and loss that were not measured as null; so is
// the accuracy of a model that predicts numbers. ASCII only.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace tutti::ctl

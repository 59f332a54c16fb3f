// The schema as the loader sees it: fields with their options, and the checks of one value.
// Internal to common/config. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "tutti/v1/options.pb.h"

namespace tutti::config {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const v1::KeyOptions& OptionsOf(const FieldDescriptor& field);

std::vector<std::string> FieldNames(const Descriptor& schema);

// "a whole number from 1 to 65536 MiB", "a number above 0 and at most 1000", "text", ...: what one
// value (or one item of a list) of the field has to be.
std::string Expected(const FieldDescriptor& field);

// Largest number of items of a list.
std::size_t MaxItems(const FieldDescriptor& field);

// What is wrong with a value, e.g. "found 0"; nothing when it is in range.
std::optional<std::string> CheckNumber(const FieldDescriptor& field, double value);
std::optional<std::string> CheckWhole(const FieldDescriptor& field, std::uint64_t value);
std::optional<std::string> CheckString(const FieldDescriptor& field, std::string_view value);

// Sets the field (singular) or appends to it (list).
void PutNumber(Message& message, const FieldDescriptor& field, double value);
void PutWhole(Message& message, const FieldDescriptor& field, std::uint64_t value);
void PutString(Message& message, const FieldDescriptor& field, std::string value);
void PutBool(Message& message, const FieldDescriptor& field, bool value);

// Shortest decimal that reads back as the same number; always a TOML float ("1.0", "1e-05").
std::string NumberText(double value);

std::string Quoted(std::string_view text);  // as a TOML basic string

// "parent.name", or "name" at the top.
std::string KeyOf(const std::string& parent, const std::string& name);

}  // namespace tutti::config

#include "tests/fuzz/tamper.h"

#include <google/protobuf/descriptor.h>

namespace tutti::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::size_t kMostInserted = 96;  // bytes: an item and a bit

std::string Changed(std::string bytes, Source& source) {
  const std::size_t at = source.Below(bytes.size() + 1);
  switch (source.U8() % 6) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ source.U8());
      return bytes;
    case 1:
      return bytes.substr(0, at);
    case 2:
      return bytes.insert(at, AsText(source.Take(source.U8() % kMostInserted)));
    case 3: {  // two items of 32 bytes change places
      const std::size_t items = bytes.size() / 32;
      const std::size_t one = source.Below(items), other = source.Below(items);
      for (std::size_t i = 0; items > 0 && i < 32; ++i) {
        std::swap(bytes[32 * one + i], bytes[32 * other + i]);
      }
      return bytes;
    }
    case 4:
      return bytes + bytes;
    default:
      return std::string(AsText(source.Take(source.U8())));
  }
}

void TamperRepeated(Message& message, const FieldDescriptor& field, Source& source) {
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  const auto place = [&] { return static_cast<int>(source.Below(static_cast<std::size_t>(size))); };
  const std::uint8_t how = source.U8() % 4;
  if (size == 0 || how == 0) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      reflection.AddUInt32(&message, &field, source.U8());
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* const added = reflection.AddMessage(&message, &field);
      if (size > 0) added->CopyFrom(reflection.GetRepeatedMessage(message, &field, place()));
    }
  } else if (how == 1) {
    reflection.SwapElements(&message, &field, place(), place());
  } else if (how == 2) {
    reflection.SwapElements(&message, &field, place(), size - 1);
    reflection.RemoveLast(&message, &field);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
    const int at = place();  // apart: arguments are evaluated in any order
    reflection.SetRepeatedUInt32(&message, &field, at, source.U32());
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    Tamper(*reflection.MutableRepeatedMessage(&message, &field, place()), source);
  }
}

void TamperField(Message& message, const FieldDescriptor& field, Source& source) {
  const Reflection& reflection = *message.GetReflection();
  std::string scratch;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field,
                                  source.U8() % 2 == 0 ? source.U8() : source.U32());
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, source.U64());
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(
          &message, &field,
          Changed(reflection.GetStringReference(message, &field, &scratch), source));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (source.U8() % 8 == 0) {
        return reflection.ClearField(&message, &field);
      }
      return Tamper(*reflection.MutableMessage(&message, &field), source);
    default:
      return reflection.ClearField(&message, &field);
  }
}

}  // namespace

void Tamper(Message& message, Source& source) {
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  if (type.field_count() == 0) {
    return;
  }
  const FieldDescriptor& field =
      *type.field(static_cast<int>(source.Below(static_cast<std::size_t>(type.field_count()))));
  if (field.is_repeated()) {
    TamperRepeated(message, field, source);
  } else {
    TamperField(message, field, source);
  }
}

}  // namespace tutti::fuzz

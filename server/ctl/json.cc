#include "server/ctl/json.h"

#include <nlohmann/json.hpp>

#include "common/base/bytes.h"

namespace tutti::ctl {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

Json ToValue(const Message& message);

Json Text(const FieldDescriptor& field, const std::string& value) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    return ToHex(AsBytes(value));
  }
  return value;
}

Json Number(const FieldDescriptor& field, double value) {
  if ((field.name() == "accuracy" || field.name() == "loss") && value < 0) {
    return nullptr;
  }
  return value;
}

// A singular field (item < 0) or one item of a list. The schemas use these types only.
Json Item(const Message& message, const FieldDescriptor& field, int item) {
  const auto& r = *message.GetReflection();
  const bool one = item < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (one && !r.HasField(message, &field)) {
        return nullptr;
      }
      return ToValue(one ? r.GetMessage(message, &field)
                         : r.GetRepeatedMessage(message, &field, item));
    case FieldDescriptor::CPPTYPE_STRING:
      return Text(field,
                  one ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, item));
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, item);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, item);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, item);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Number(
          field, one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, item));
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, item);
    default:
      return nullptr;
  }
}

Json ToValue(const Message& message) {
  Json value = Json::object();
  const auto& schema = *message.GetDescriptor();
  for (int i = 0; i < schema.field_count(); ++i) {
    const FieldDescriptor& field = *schema.field(i);
    if (!field.is_repeated()) {
      value[field.name()] = Item(message, field, -1);
      continue;
    }
    Json items = Json::array();
    for (int item = 0; item < message.GetReflection()->FieldSize(message, &field); ++item) {
      items.push_back(Item(message, field, item));
    }
    value[field.name()] = std::move(items);
  }
  return value;
}

}  // namespace

std::string ToJson(const Message& message) {
  return ToValue(message).dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace tutti::ctl

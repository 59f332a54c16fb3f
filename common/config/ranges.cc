#include "common/base/text.h"
#include "common/config/load.h"
#include "common/config/schema.h"

namespace tutti::config {
namespace {

class RangeCheck {
 public:
  explicit RangeCheck(std::vector<Problem>& problems) : problems_(problems) {}

  void Check(const Message& message, const std::string& section) {
    const Descriptor& schema = *message.GetDescriptor();
    for (int i = 0; i < schema.field_count(); ++i) {
      const FieldDescriptor& field = *schema.field(i);
      const std::string key = KeyOf(section, field.name());
      const auto* reflection = message.GetReflection();
      const int items = field.is_repeated() ? reflection->FieldSize(message, &field) : 1;
      if (field.is_repeated() && static_cast<std::size_t>(items) > MaxItems(field)) {
        Add(key, Join("found ", items, " items, expected at most ", MaxItems(field)));
        continue;
      }
      if (field.is_repeated() && items == 0 && OptionsOf(field).required()) {
        Add(key, "missing, expected a list, each item " + Expected(field));
      }
      for (int item = 0; item < items; ++item) {
        CheckItem(message, field, field.is_repeated() ? item : -1,
                  field.is_repeated() ? Join(key, "[", item, "]") : key);
      }
    }
  }

 private:
  void Add(const std::string& key, const std::string& text) {
    problems_.push_back({.file = "message", .key = key, .text = text});
  }

  void CheckItem(const Message& message, const FieldDescriptor& field, int item,
                 const std::string& key) {
    const auto* reflection = message.GetReflection();
    const bool one = item < 0;
    std::optional<std::string> found;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Check(one ? reflection->GetMessage(message, &field)
                         : reflection->GetRepeatedMessage(message, &field, item),
                     key);
      case FieldDescriptor::CPPTYPE_UINT32:
        found = CheckWhole(field, one ? reflection->GetUInt32(message, &field)
                                      : reflection->GetRepeatedUInt32(message, &field, item));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        found = CheckWhole(field, one ? reflection->GetUInt64(message, &field)
                                      : reflection->GetRepeatedUInt64(message, &field, item));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        found = CheckNumber(field, one ? reflection->GetDouble(message, &field)
                                       : reflection->GetRepeatedDouble(message, &field, item));
        break;
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string value = one ? reflection->GetString(message, &field)
                                      : reflection->GetRepeatedString(message, &field, item);
        found =
            value.empty() && OptionsOf(field).required() ? "missing" : CheckString(field, value);
        break;
      }
      default:
        break;
    }
    if (found) {
      Add(key, Join(*found, ", expected ", Expected(field)));
    }
  }

  std::vector<Problem>& problems_;
};

}  // namespace

std::vector<Problem> CheckRanges(const google::protobuf::Message& message) {
  std::vector<Problem> problems;
  RangeCheck(problems).Check(message, "");
  return problems;
}

}  // namespace tutti::config

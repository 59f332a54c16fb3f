#include <functional>

#include "common/base/text.h"
#include "common/config/load.h"
#include "common/config/schema.h"

namespace tutti::config {
namespace {

// The text of a singular field (item < 0) or of one item of a list.
std::string ValueText(const Message& message, const FieldDescriptor& field, int item) {
  const auto* reflection = message.GetReflection();
  const bool one = item < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(one ? reflection->GetUInt32(message, &field)
                                : reflection->GetRepeatedUInt32(message, &field, item));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(one ? reflection->GetUInt64(message, &field)
                                : reflection->GetRepeatedUInt64(message, &field, item));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberText(one ? reflection->GetDouble(message, &field)
                            : reflection->GetRepeatedDouble(message, &field, item));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, &field) ? "true" : "false";
    default:
      return Quoted(one ? reflection->GetString(message, &field)
                        : reflection->GetRepeatedString(message, &field, item));
  }
}

std::string FieldText(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) {
    return ValueText(message, field, -1);
  }
  std::vector<std::string> items;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    items.push_back(ValueText(message, field, i));
  }
  return "[" + JoinWith(items, ", ") + "]";
}

bool IsSection(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

class Printer {
 public:
  explicit Printer(const Origins& origins) : origins_(origins) {}

  // `key` names the section in origins ("model.layers[0]"), `header` in TOML ("[[model.layers]]").
  void Print(const Message& message, const std::string& key, const std::string& name) {
    const Descriptor& schema = *message.GetDescriptor();
    const auto* reflection = message.GetReflection();
    for (int i = 0; i < schema.field_count(); ++i) {
      const FieldDescriptor& field = *schema.field(i);
      if (!IsSection(field)) {
        Line(field.name() + " = " + FieldText(message, field), KeyOf(key, field.name()));
      } else if (field.is_repeated() && reflection->FieldSize(message, &field) == 0) {
        Line(field.name() + " = []", KeyOf(key, field.name()));
      }
    }
    for (int i = 0; i < schema.field_count(); ++i) {
      const FieldDescriptor& field = *schema.field(i);
      if (!IsSection(field)) {
        continue;
      }
      const std::string full = KeyOf(name, field.name());
      if (!field.is_repeated()) {
        text_ += "\n[" + full + "]\n";
        Print(reflection->GetMessage(message, &field), KeyOf(key, field.name()), full);
        continue;
      }
      for (int item = 0; item < reflection->FieldSize(message, &field); ++item) {
        text_ += "\n[[" + full + "]]\n";
        Print(reflection->GetRepeatedMessage(message, &field, item),
              Join(KeyOf(key, field.name()), "[", item, "]"), full);
      }
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  void Line(const std::string& text, const std::string& key) {
    const auto origin = origins_.find(key);
    const std::string comment = origin == origins_.end() ? "default" : ToText(origin->second);
    text_ += text + std::string(text.size() < 40 ? 40 - text.size() : 1, ' ') + "# " +
             Escaped(comment, 300) + "\n";
  }

  const Origins& origins_;
  std::string text_;
};

void AddKeys(const Descriptor& schema, const std::string& section, std::vector<std::string>& keys) {
  for (int i = 0; i < schema.field_count(); ++i) {
    const FieldDescriptor& field = *schema.field(i);
    const std::string key = KeyOf(section, field.name());
    if (IsSection(field)) {
      AddKeys(*field.message_type(), field.is_repeated() ? key + "[]" : key, keys);
    } else {
      keys.push_back(key);
    }
  }
}

}  // namespace

std::string PrintEffective(const google::protobuf::Message& message, const Origins& origins) {
  Printer printer(origins);
  printer.Print(message, "", "");
  return printer.Take();
}

std::vector<std::string> KeysOf(const google::protobuf::Descriptor& schema) {
  std::vector<std::string> keys;
  AddKeys(schema, "", keys);
  return keys;
}

}  // namespace tutti::config

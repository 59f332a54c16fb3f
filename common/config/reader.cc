#include "common/config/reader.h"

#include <cmath>
#include <filesystem>
#include <optional>

#include "common/base/status.h"
#include "common/base/text.h"

namespace tutti::config {
namespace {

std::string SectionHeader(const FieldDescriptor& field, const std::string& key) {
  return field.is_repeated() ? "[[" + key + "]]" : "[" + key + "]";
}

// The section of `schema` (or below) that has a key `name`, e.g. "training"; empty text: the top.
std::optional<std::string> SectionWith(const Descriptor& schema, const std::string& name,
                                       const std::string& section) {
  if (schema.FindFieldByName(name) != nullptr) {
    return section;
  }
  for (int i = 0; i < schema.field_count(); ++i) {
    const FieldDescriptor& field = *schema.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated()) {
      if (auto found = SectionWith(*field.message_type(), name, KeyOf(section, field.name()))) {
        return found;
      }
    }
  }
  return std::nullopt;
}

std::string AbsolutePath(const std::string& folder, const std::string& value) {
  if (value.empty()) {
    return value;
  }
  return (std::filesystem::path(folder) / value).lexically_normal().string();
}

// A way out for the usual slips; empty when there is none to offer.
std::string Advice(const toml::node& node, const FieldDescriptor& field) {
  const bool number = field.cpp_type() != FieldDescriptor::CPPTYPE_STRING;
  if (node.is_string() && number) {
    return "; remove the quotes";
  }
  if (!number || node.is_array() || node.is_table()) {
    return "";
  }
  if (node.is_floating_point() && field.cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE) {
    return "; write it without a fraction";
  }
  return "";
}

}  // namespace

std::string Found(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "found a section";
    case toml::node_type::array:
      return "found a list";
    case toml::node_type::string:
      return "found the text \"" + Escaped(**node.as_string(), 60) + "\"";
    case toml::node_type::integer:
      return Join("found the whole number ", **node.as_integer());
    case toml::node_type::floating_point:
      return "found the number " + NumberText(**node.as_floating_point());
    case toml::node_type::boolean:
      return Join("found ", **node.as_boolean() ? "true" : "false");
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "found a date or time";
    case toml::node_type::none:
      break;
  }
  return "found nothing";
}

void Reader::Report(const std::string& key, const toml::source_region& at, std::string text) {
  Problem problem;
  problem.key = key;
  problem.text = std::move(text);
  switch (place_.source) {
    case Source::kFile:
      problem.file = place_.where;
      problem.line = at.begin.line;
      problem.column = at.begin.column;
      break;
    case Source::kEnvironment:
      problem.file = "environment variable " + place_.where;
      break;
    case Source::kCommandLine:
    case Source::kDefault:
      problem.file = "command line";
      break;
  }
  result_.problems.push_back(std::move(problem));
}

void Reader::Record(const std::string& key, const toml::source_region& at) {
  Origin origin{.source = place_.source, .where = place_.where};
  if (place_.source == Source::kFile) {
    origin.line = at.begin.line;
    origin.column = at.begin.column;
  }
  result_.origins[key] = std::move(origin);
}

void Reader::ReadUnknown(const toml::key& name, const Descriptor& schema,
                         const std::string& section) {
  const std::string shown = Escaped(name.str(), 60);
  std::string text = section.empty() ? "unknown key" : "unknown key in [" + section + "]";
  const std::string nearest = NearestName(name.str(), FieldNames(schema));
  const auto home = SectionWith(root_, std::string(name.str()), "");
  if (home && home->empty()) {
    text += Join("; '", shown, "' stands above the first [section], move it there");
  } else if (home) {
    text += Join("; '", shown, "' belongs in [", *home, "]");
  } else if (!nearest.empty()) {
    text += Join("; did you mean '", nearest, "'?");
  } else {
    text += "; expected one of " + JoinWith(FieldNames(schema), ", ");
  }
  Report(KeyOf(section, shown), name.source(), text);
}

void Reader::ReadTable(const toml::table& table, Message& message, const std::string& key) {
  const Descriptor& schema = *message.GetDescriptor();
  for (const auto& [name, node] : table) {
    const FieldDescriptor* field = schema.FindFieldByName(std::string(name.str()));
    if (field == nullptr) {
      ReadUnknown(name, schema, key);
      continue;
    }
    const std::string full = KeyOf(key, field->name());
    Record(full, name.source());
    ReadField(node, message, *field, full);
  }
}

void Reader::ReadField(const toml::node& node, Message& message, const FieldDescriptor& field,
                       const std::string& key) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    ReadSections(node, message, field, key);
  } else if (field.is_repeated()) {
    ReadList(node, message, field, key);
  } else {
    ReadScalar(node, message, field, key);
  }
}

void Reader::ReadSections(const toml::node& node, Message& message, const FieldDescriptor& field,
                          const std::string& key) {
  const auto* reflection = message.GetReflection();
  if (!field.is_repeated()) {
    if (const toml::table* table = node.as_table()) {
      ReadTable(*table, *reflection->MutableMessage(&message, &field), key);
      return;
    }
    Report(key, node.source(),
           Join(Found(node), ", expected a section; write ", SectionHeader(field, key)));
    return;
  }
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    Report(key, node.source(),
           Join(Found(node), ", expected a list of sections; write ", SectionHeader(field, key)));
    return;
  }
  if (array->size() > MaxItems(field)) {
    Report(key, node.source(),
           Join("found ", array->size(), " sections, expected at most ", MaxItems(field)));
    return;
  }
  std::size_t index = 0;
  for (const toml::node& item : *array) {
    const std::string item_key = Join(key, "[", index++, "]");
    if (const toml::table* table = item.as_table()) {
      Record(item_key, item.source());
      ReadTable(*table, *reflection->AddMessage(&message, &field), item_key);
    } else {
      Report(item_key, item.source(),
             Join(Found(item), ", expected a section; write ", SectionHeader(field, key)));
    }
  }
}

void Reader::ReadList(const toml::node& node, Message& message, const FieldDescriptor& field,
                      const std::string& key) {
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    Report(key, node.source(), Join(Found(node), ", expected a list; write the value in [ ]"));
    return;
  }
  if (array->size() > MaxItems(field)) {
    Report(key, node.source(),
           Join("found a list of ", array->size(), " items, expected at most ", MaxItems(field)));
    return;
  }
  std::size_t index = 0;
  for (const toml::node& item : *array) {
    ReadScalar(item, message, field, Join(key, "[", index++, "]"));
  }
}

void Reader::Mismatch(const toml::node& node, const FieldDescriptor& field,
                      const std::string& key) {
  Report(key, node.source(),
         Join(Found(node), ", expected ", Expected(field), Advice(node, field)));
}

void Reader::ReadScalar(const toml::node& node, Message& message, const FieldDescriptor& field,
                        const std::string& key) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return ReadWhole(node, message, field, key);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ReadNumber(node, message, field, key);
    case FieldDescriptor::CPPTYPE_BOOL:
      if (const auto* value = node.as_boolean()) {
        return PutBool(message, field, value->get());
      }
      return Mismatch(node, field, key);
    default:
      break;
  }
  TUTTI_CHECK(field.cpp_type() == FieldDescriptor::CPPTYPE_STRING);
  if (const auto* value = node.as_string()) {
    return ReadText(value->get(), node.source(), message, field, key);
  }
  return Mismatch(node, field, key);
}

void Reader::ReadText(std::string value, const toml::source_region& at, Message& message,
                      const FieldDescriptor& field, const std::string& key) {
  const v1::KeyOptions& options = OptionsOf(field);
  if (const auto found = CheckString(field, value)) {
    const std::vector<std::string> allowed(options.one_of().begin(), options.one_of().end());
    const std::string nearest = NearestName(value, allowed);
    Report(key, at,
           Join(*found, ", expected ", Expected(field),
                nearest.empty() ? "" : Join("; did you mean '", nearest, "'?")));
    return;
  }
  PutString(message, field,
            options.is_path() ? AbsolutePath(place_.folder, value) : std::move(value));
}

void Reader::ReadWhole(const toml::node& node, Message& message, const FieldDescriptor& field,
                       const std::string& key) {
  const auto* value = node.as_integer();
  if (value == nullptr) {
    return Mismatch(node, field, key);
  }
  if (value->get() < 0) {
    return Report(key, node.source(), Join("found ", value->get(), ", expected ", Expected(field)));
  }
  const auto whole = static_cast<std::uint64_t>(value->get());
  if (const auto found = CheckWhole(field, whole)) {
    return Report(key, node.source(), Join(*found, ", expected ", Expected(field)));
  }
  PutWhole(message, field, whole);
}

void Reader::ReadNumber(const toml::node& node, Message& message, const FieldDescriptor& field,
                        const std::string& key) {
  double number = 0;
  if (const auto* value = node.as_floating_point()) {
    number = value->get();
  } else if (const auto* whole = node.as_integer()) {
    number = static_cast<double>(whole->get());
  } else {
    return Mismatch(node, field, key);
  }
  if (const auto found = CheckNumber(field, number)) {
    return Report(key, node.source(), Join(*found, ", expected ", Expected(field)));
  }
  PutNumber(message, field, number);
}

}  // namespace tutti::config

#include "common/config/defaults.h"

#include <charconv>
#include <functional>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/config/schema.h"

namespace tutti::config {
namespace {

template <typename T>
T Parse(const std::string& text) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  // The text is the schema's own; tests/unit/config loads every default.
  TUTTI_CHECK(parsed.ec == std::errc() && parsed.ptr == text.data() + text.size());
  return value;
}

void SetDefault(Message& message, const FieldDescriptor& field) {
  const std::string& text = OptionsOf(field).default_value();
  if (text.empty() || field.is_repeated()) {
    return;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return PutWhole(message, field, Parse<std::uint64_t>(text));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return PutNumber(message, field, Parse<double>(text));
    case FieldDescriptor::CPPTYPE_BOOL:
      return PutBool(message, field, text == "true");
    default:
      return PutString(message, field, text);
  }
}

using IsSet = std::function<bool(const std::string& key)>;

void Complete(Message& message, const std::string& section, const IsSet& is_set) {
  const Descriptor& schema = *message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < schema.field_count(); ++i) {
    const FieldDescriptor& field = *schema.field(i);
    const std::string key = KeyOf(section, field.name());
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!is_set(key)) {
        SetDefault(message, field);
      }
    } else if (!field.is_repeated()) {
      Complete(*reflection->MutableMessage(&message, &field), key, is_set);
    } else {
      for (int item = 0; item < reflection->FieldSize(message, &field); ++item) {
        Complete(*reflection->MutableRepeatedMessage(&message, &field, item),
                 Join(key, "[", item, "]"), is_set);
      }
    }
  }
}

bool HasValue(const Message& message, const FieldDescriptor& field) {
  const auto* reflection = message.GetReflection();
  if (field.is_repeated()) {
    return reflection->FieldSize(message, &field) > 0;
  }
  return field.cpp_type() != FieldDescriptor::CPPTYPE_STRING ||
         !reflection->GetString(message, &field).empty();
}

// Where the section starts; the top of the file when the file does not have it.
Problem AtSection(const LoadResult& result, const std::string& section) {
  Problem problem{.file = result.file, .line = 1, .column = 1};
  std::string name = section;
  while (!name.empty()) {
    const auto found = result.origins.find(name);
    if (found != result.origins.end() && found->second.source == Source::kFile) {
      problem.line = found->second.line;
      problem.column = found->second.column;
      return problem;
    }
    const std::size_t dot = name.rfind('.');
    name = dot == std::string::npos ? "" : name.substr(0, dot);
  }
  return problem;
}

bool HasProblem(const LoadResult& result, const std::string& key) {
  for (const Problem& problem : result.problems) {
    if (problem.key == key || problem.key.starts_with(key + "[")) {
      return true;
    }
  }
  return false;
}

void CheckRequiredIn(const Message& message, const std::string& section, LoadResult& result) {
  const Descriptor& schema = *message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < schema.field_count(); ++i) {
    const FieldDescriptor& field = *schema.field(i);
    const std::string key = KeyOf(section, field.name());
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!field.is_repeated()) {
        CheckRequiredIn(reflection->GetMessage(message, &field), key, result);
      }
      for (int item = 0; field.is_repeated() && item < reflection->FieldSize(message, &field);
           ++item) {
        CheckRequiredIn(reflection->GetRepeatedMessage(message, &field, item),
                        Join(key, "[", item, "]"), result);
      }
      continue;
    }
    const bool set = result.origins.count(key) > 0 && HasValue(message, field);
    if (!OptionsOf(field).required() || set || HasProblem(result, key)) {
      continue;
    }
    Problem problem = AtSection(result, section);
    problem.key = key;
    problem.text =
        Join("missing, expected ", field.is_repeated() ? "a list, each item " : "", Expected(field),
             "; set it ",
             section.empty() ? std::string("above the first section") : "in [" + section + "]");
    result.problems.push_back(std::move(problem));
  }
}

}  // namespace

void CompleteDefaults(google::protobuf::Message& message, const LoadResult& result) {
  Complete(message, "", [&](const std::string& key) { return result.origins.count(key) > 0; });
}

void SetDefaults(google::protobuf::Message& message) {
  Complete(message, "", [](const std::string&) { return false; });
}

void CheckRequired(const google::protobuf::Message& message, LoadResult& result) {
  CheckRequiredIn(message, "", result);
}

}  // namespace tutti::config

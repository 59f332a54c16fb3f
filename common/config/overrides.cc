#include "common/config/overrides.h"

#include <unistd.h>

#include <filesystem>
#include <optional>

#include "common/base/text.h"
#include "common/config/reader.h"

namespace tutti::config {
namespace {

constexpr std::string_view kPrefix = "TUTTI_";

std::vector<std::string> Split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (std::size_t start = 0;;) {
    const std::size_t end = text.find(separator, start);
    parts.emplace_back(text.substr(start, end == std::string_view::npos ? end : end - start));
    if (end == std::string_view::npos) {
      return parts;
    }
    start = end + separator.size();
  }
}

struct Target {
  Message* parent = nullptr;
  const FieldDescriptor* field = nullptr;  // null: no such key
  std::string known{};                     // the part of the path that exists
  std::vector<std::string> candidates{};   // names at the first part that does not
  std::string wrong{};                     // that part
};

Target Find(Message& root, const std::vector<std::string>& path) {
  Target target{.parent = &root};
  for (std::size_t i = 0; i < path.size(); ++i) {
    const FieldDescriptor* field = target.parent->GetDescriptor()->FindFieldByName(path[i]);
    if (field == nullptr) {
      target.candidates = FieldNames(*target.parent->GetDescriptor());
      target.wrong = path[i];
      return target;
    }
    target.known = KeyOf(target.known, path[i]);
    if (i + 1 == path.size()) {
      target.field = field;
      return target;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) {
      target.wrong = path[i + 1];
      return target;
    }
    target.parent = target.parent->GetReflection()->MutableMessage(target.parent, field);
  }
  return target;
}

void Set(Reader& reader, const Target& target, const std::string& value, LoadResult& result,
         const Origin& origin) {
  const std::string& key = target.known;
  const FieldDescriptor& field = *target.field;
  const toml::source_region nowhere{};
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    reader.Report(key, nowhere, "is a section; set one of its keys, or write it in the file");
    return;
  }
  // What the file said of this key counts no more, neither its value nor its problems.
  std::erase_if(result.problems, [&](const Problem& problem) {
    return problem.key == key || problem.key.rfind(key + "[", 0) == 0;
  });
  target.parent->GetReflection()->ClearField(target.parent, &field);
  result.origins[key] = origin;
  const bool text_field = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  if (text_field && !field.is_repeated()) {
    reader.ReadText(value, nowhere, *target.parent, field, key);
    return;
  }
  if (text_field && !value.starts_with('[')) {
    toml::array items;
    for (std::string& item : Split(value, ",")) {
      items.push_back(std::move(item));
    }
    reader.ReadField(items, *target.parent, field, key);
    return;
  }
  const bool list = field.is_repeated() && !value.starts_with('[');
  try {
    const toml::table parsed = toml::parse("v = " + (list ? "[" + value + "]" : value));
    const toml::node* node = parsed.get("v");
    if (node != nullptr && parsed.size() == 1) {
      reader.ReadField(*node, *target.parent, field, key);
      return;
    }
  } catch (const toml::parse_error&) {
    // Reported below: the parser's words speak of a file.
  }
  reader.Report(key, nowhere,
                Join("found \"", Escaped(value, 60), "\", expected ",
                     field.is_repeated() ? "a list, each item " : "", Expected(field)));
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

void ReportUnknown(Reader& reader, const Target& target, const std::string& key) {
  const std::string nearest = NearestName(target.wrong, target.candidates);
  reader.Report(Escaped(key, 100), {},
                nearest.empty()
                    ? "unknown key"
                    : Join("unknown key; did you mean '", KeyOf(target.known, nearest), "'?"));
}

void ApplyVariable(const std::string& name, const std::string& value, Message& out,
                   const std::string& folder, LoadResult& result) {
  if (!name.starts_with(kPrefix) || name.size() == kPrefix.size()) {
    return;
  }
  const std::vector<std::string> path =
      Split(LowerCase(std::string_view(name).substr(kPrefix.size())), "__");
  const Target target = Find(out, path);
  Reader reader({.source = Source::kEnvironment, .where = name, .folder = folder},
                *out.GetDescriptor(), result);
  if (target.field != nullptr) {
    Set(reader, target, value, result, {.source = Source::kEnvironment, .where = name});
  } else if (!target.known.empty()) {
    // The section is ours, the key is not. A section that is not ours belongs to another program.
    ReportUnknown(reader, target, JoinWith(path, "."));
  }
}

void ApplyArgument(const std::string& argument, Message& out, const std::string& folder,
                   LoadResult& result) {
  Reader reader({.source = Source::kCommandLine, .folder = folder}, *out.GetDescriptor(), result);
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) {
    reader.Report("", {},
                  Join("found \"", Escaped(argument, 60), "\", expected section.key=value"));
    return;
  }
  const std::string key = argument.substr(0, equals);
  const Target target = Find(out, Split(key, "."));
  if (target.field == nullptr) {
    ReportUnknown(reader, target, key);
    return;
  }
  Set(reader, target, argument.substr(equals + 1), result, {.source = Source::kCommandLine});
}

}  // namespace

std::vector<std::pair<std::string, std::string>> Environment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (text.starts_with(kPrefix) && equals != std::string_view::npos) {
      variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

void ApplyOverrides(const Overrides& overrides, google::protobuf::Message& out,
                    LoadResult& result) {
  std::error_code error;
  const std::string folder = std::filesystem::current_path(error).string();
  for (const auto& [name, value] : overrides.environment) {
    ApplyVariable(name, value, out, folder, result);
  }
  for (const std::string& argument : overrides.command_line) {
    ApplyArgument(argument, out, folder, result);
  }
}

}  // namespace tutti::config

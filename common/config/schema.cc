#include "common/config/schema.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "common/base/status.h"
#include "common/base/text.h"

namespace tutti::config {
namespace {

constexpr std::size_t kMaxStringBytes = 4096;
constexpr std::size_t kDefaultMaxItems = 64;

// Bounds as people write them: 1048576, not 1.04858e+06.
std::string BoundText(double bound) {
  if (bound == std::floor(bound) && std::abs(bound) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(bound));
  }
  return NumberText(bound);
}

bool IsWhole(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32 ||
         field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
}

std::string RangeText(const FieldDescriptor& field) {
  const v1::KeyOptions& options = OptionsOf(field);
  const bool whole = IsWhole(field);
  const bool has_min = options.has_min() || whole;
  if (has_min && options.has_max() && !options.min_exclusive() && !options.max_exclusive()) {
    return Join(" from ", BoundText(options.min()), " to ", BoundText(options.max()));
  }
  std::string text;
  if (has_min) {
    text += (options.min_exclusive() ? " above " : " of at least ") + BoundText(options.min());
  }
  if (options.has_max()) {
    text += text.empty() ? "" : " and";
    text += (options.max_exclusive() ? " below " : " at most ") + BoundText(options.max());
  }
  return text;
}

}  // namespace

const v1::KeyOptions& OptionsOf(const FieldDescriptor& field) {
  return field.options().GetExtension(v1::key);
}

std::vector<std::string> FieldNames(const Descriptor& schema) {
  std::vector<std::string> names;
  for (int i = 0; i < schema.field_count(); ++i) {
    names.push_back(schema.field(i)->name());
  }
  return names;
}

std::string Expected(const FieldDescriptor& field) {
  const v1::KeyOptions& options = OptionsOf(field);
  std::string text;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      text = "a whole number" + RangeText(field);
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      text = "a number" + RangeText(field);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING: {
      if (options.one_of_size() == 0) {
        return "text in quotes";
      }
      for (const std::string& value : options.one_of()) {
        text += (text.empty() ? "one of " : ", ") + Quoted(value);
      }
      return options.one_of_size() == 1 ? Quoted(options.one_of(0)) : text;
    }
    default:
      return "a section";
  }
  return options.unit().empty() ? text : Join(text, " ", options.unit());
}

std::size_t MaxItems(const FieldDescriptor& field) {
  const std::uint32_t items = OptionsOf(field).max_items();
  return items == 0 ? kDefaultMaxItems : items;
}

std::optional<std::string> CheckNumber(const FieldDescriptor& field, double value) {
  const v1::KeyOptions& options = OptionsOf(field);
  const bool below = options.has_min() && (options.min_exclusive() ? !(value > options.min())
                                                                   : !(value >= options.min()));
  const bool above = options.has_max() && (options.max_exclusive() ? !(value < options.max())
                                                                   : !(value <= options.max()));
  if (!std::isfinite(value) || below || above) {
    return "found " + NumberText(value);
  }
  return std::nullopt;
}

std::optional<std::string> CheckWhole(const FieldDescriptor& field, std::uint64_t value) {
  const bool too_wide = field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32 &&
                        value > std::numeric_limits<std::uint32_t>::max();
  if (too_wide || CheckNumber(field, static_cast<double>(value))) {
    return "found " + std::to_string(value);
  }
  return std::nullopt;
}

std::optional<std::string> CheckString(const FieldDescriptor& field, std::string_view value) {
  if (value.size() > kMaxStringBytes) {
    return Join("found text of ", value.size(), " bytes, at most ", kMaxStringBytes,
                " are allowed");
  }
  for (const char c : value) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) {
      return "found the control character " + Escaped({&c, 1});
    }
  }
  const v1::KeyOptions& options = OptionsOf(field);
  if (options.one_of_size() == 0) {
    return std::nullopt;
  }
  const std::vector<std::string> allowed(options.one_of().begin(), options.one_of().end());
  for (const std::string& candidate : allowed) {
    if (candidate == value) {
      return std::nullopt;
    }
  }
  return "found \"" + Escaped(value, 60) + "\"";
}

void PutNumber(Message& message, const FieldDescriptor& field, double value) {
  if (field.is_repeated()) {
    message.GetReflection()->AddDouble(&message, &field, value);
  } else {
    message.GetReflection()->SetDouble(&message, &field, value);
  }
}

void PutWhole(Message& message, const FieldDescriptor& field, std::uint64_t value) {
  const auto* reflection = message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
    field.is_repeated() ? reflection->AddUInt64(&message, &field, value)
                        : reflection->SetUInt64(&message, &field, value);
    return;
  }
  const auto narrow = static_cast<std::uint32_t>(value);  // CheckWhole has seen the range
  field.is_repeated() ? reflection->AddUInt32(&message, &field, narrow)
                      : reflection->SetUInt32(&message, &field, narrow);
}

void PutString(Message& message, const FieldDescriptor& field, std::string value) {
  if (field.is_repeated()) {
    message.GetReflection()->AddString(&message, &field, std::move(value));
  } else {
    message.GetReflection()->SetString(&message, &field, std::move(value));
  }
}

void PutBool(Message& message, const FieldDescriptor& field, bool value) {
  TUTTI_CHECK(!field.is_repeated());
  message.GetReflection()->SetBool(&message, &field, value);
}

std::string NumberText(double value) {
  if (!std::isfinite(value)) {
    return std::isnan(value) ? "nan" : (value > 0 ? "inf" : "-inf");
  }
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, result.ptr);
  if (text.find_first_of(".e") == std::string::npos) {
    text += ".0";
  }
  return text;
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(byte));
      out += buffer;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string KeyOf(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "." + name;
}

}  // namespace tutti::config

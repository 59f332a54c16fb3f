// Log lines: one event a line with key=value fields, as text for people or as JSON lines for
// machines, on stderr. Values of peers are escaped here, so no text from outside can forge a line
// or colour a terminal. Thread safety: Setup once at the start of main; the rest is safe.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "tutti/v1/config.pb.h"

namespace tutti::log {

struct Field {
  Field(std::string_view name, std::string_view text) : key(name), value(text), is_text(true) {}
  Field(std::string_view name, const char* text) : Field(name, std::string_view(text)) {}
  Field(std::string_view name, const std::string& text) : Field(name, std::string_view(text)) {}
  Field(std::string_view name, const Status& status);
  Field(std::string_view name, bool flag) : key(name), value(flag ? "true" : "false") {}
  Field(std::string_view name, double number);
  Field(std::string_view name, std::integral auto number)
      : key(name), value(std::to_string(number)) {}
  template <typename Tag>
  Field(std::string_view name, const StrongId<Tag, std::string>& id) : Field(name, id.value()) {}

  std::string_view key;
  std::string value;
  bool is_text = false;
};
using Fields = std::initializer_list<Field>;

// Level and format from the configuration; `program` stands in every line. Before Setup lines go
// out as text at info.
Status Setup(const v1::LogConfig& config, std::string_view program);

void Debug(std::string_view event, Fields fields = {});
void Info(std::string_view event, Fields fields = {});
void Warn(std::string_view event, Fields fields = {});
void Error(std::string_view event, Fields fields = {});

// The line's variable part, as the tests see it: `event key=value key="text with spaces"`, or
// `"event":"...","key":value`.
std::string FormatText(std::string_view event, Fields fields);
std::string FormatJson(std::string_view event, Fields fields);

}  // namespace tutti::log

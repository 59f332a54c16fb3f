#include "common/log/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cmath>
#include <cstdio>
#include <memory>

#include "common/base/text.h"

namespace tutti::log {
namespace {

constexpr std::size_t kLongestValue = 1000;  // characters
constexpr std::string_view kJsonLogger = "tutti-json";

// Escaped() leaves printable ASCII only, so quotes and backslashes are what remains to be escaped.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : Escaped(text, kLongestValue)) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + '"';
}

bool IsPlainWord(std::string_view text) {
  if (text.empty() || text.size() > kLongestValue) {
    return false;
  }
  for (const char c : text) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') {
      return false;
    }
  }
  return true;
}

bool IsJson() { return spdlog::default_logger_raw()->name() == kJsonLogger; }

void Write(spdlog::level::level_enum level, std::string_view event, Fields fields) {
  spdlog::logger* const logger = spdlog::default_logger_raw();
  if (!logger->should_log(level)) {
    return;
  }
  const std::string line = IsJson() ? FormatJson(event, fields) : FormatText(event, fields);
  logger->log(level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

Field::Field(std::string_view name, const Status& status)
    : Field(name,
            status.ok() ? std::string("OK") : CodeName(status.code()) + ": " + TextOf(status)) {}

Field::Field(std::string_view name, double number) : key(name) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", number);
  value = text;
  is_text = !std::isfinite(number);  // JSON has no infinity
}

Status Setup(const v1::LogConfig& config, std::string_view program) {
  const std::string level_name = config.level().empty() ? "info" : config.level();
  const spdlog::level::level_enum level = spdlog::level::from_str(level_name);
  if (level == spdlog::level::off) {
    return InvalidArgument(Join("log level \"", Escaped(level_name),
                                "\" is unknown, expected trace, debug, info, warn or error"));
  }
  const std::string name(program);
  std::shared_ptr<spdlog::logger> logger;
  if (config.format() == "json") {
    logger = std::make_shared<spdlog::logger>(std::string(kJsonLogger),
                                              std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern(
        "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",\"program\":\"" + name + "\",%v}",
        spdlog::pattern_time_type::utc);
  } else {
    logger = std::make_shared<spdlog::logger>(
        name, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ " + name + ": %v",
                        spdlog::pattern_time_type::utc);
  }
  logger->set_level(level);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return OkStatus();
}

void Debug(std::string_view event, Fields fields) { Write(spdlog::level::debug, event, fields); }
void Info(std::string_view event, Fields fields) { Write(spdlog::level::info, event, fields); }
void Warn(std::string_view event, Fields fields) { Write(spdlog::level::warn, event, fields); }
void Error(std::string_view event, Fields fields) { Write(spdlog::level::err, event, fields); }

std::string FormatText(std::string_view event, Fields fields) {
  std::string line = Escaped(event, kLongestValue);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += IsPlainWord(field.value) ? field.value : Quoted(field.value);
  }
  return line;
}

std::string FormatJson(std::string_view event, Fields fields) {
  std::string line = "\"event\":" + Quoted(event);
  for (const Field& field : fields) {
    line += ",\"";
    line += field.key;
    line += "\":";
    line += field.is_text ? Quoted(field.value) : field.value;
  }
  return line;
}

}  // namespace tutti::log

// TOML into any message of config.proto, strictly: an unknown key, a wrong type, a value out of
// range, a missing required key and a contradiction are problems, and all of them are given at
// once. Keys, ranges and defaults are read from the schema itself (options.proto), by reflection.
// Order of precedence: command line, environment, file, default.
// Thread safety: functions are safe.
//
//   auto loaded = config::Load<v1::ServerConfig>(path, {.environment = config::Environment(),
//                                                       .command_line = sets});
//   if (!loaded.ok()) {
//     std::cerr << config::ToText(loaded.problems);
//     return config::ExitCode(loaded.problems);
//   }
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/problem.h"
#include "google/protobuf/message.h"

namespace tutti::config {

inline constexpr std::size_t kMaxFileBytes = 1 << 20;

struct Overrides {
  // Variables as name and value. TUTTI_<SECTION>__<KEY> in upper case sets section.key; others are
  // ignored, unless the section is the schema's and only the key is not: that is a problem.
  std::vector<std::pair<std::string, std::string>> environment{};
  // "section.key=value". Text stands without quotes; a list of text is separated by commas.
  std::vector<std::string> command_line{};
};

// This process's environment, the variables that start with "TUTTI_" only.
std::vector<std::pair<std::string, std::string>> Environment();

struct LoadResult {
  std::string file{};               // as it was named
  bool readable = false;            // the file was read and is TOML: the message has its values
  std::vector<Problem> problems{};  // sorted
  Origins origins{};
};

// Fills `out` completely: keys that are not set get their default, also in sections the file does
// not have. With problems, `out` is unspecified. Relative paths in keys that are paths are taken
// from the file's folder when the file sets them, and from the working folder when the environment
// or the command line does; they become absolute.
LoadResult LoadFile(const std::string& path, google::protobuf::Message& out,
                    const Overrides& overrides = {});

// The same for text; `name` is how problems call it, and its folder is where relative paths start.
LoadResult LoadText(std::string_view text, const std::string& name, google::protobuf::Message& out,
                    const Overrides& overrides = {});

// Every key that has a default is set to it, also in absent sections; nothing else changes.
void SetDefaults(google::protobuf::Message& message);

// Ranges, lists and required keys of a message that did not come from a file.
std::vector<Problem> CheckRanges(const google::protobuf::Message& message);

// TOML text of every effective value, each line with a comment that says where it came from.
// Loading the text gives the same message again.
std::string PrintEffective(const google::protobuf::Message& message, const Origins& origins);

// Every key of a schema: "log.level", "model.layers[].type"; in the order of the schema.
std::vector<std::string> KeysOf(const google::protobuf::Descriptor& schema);

}  // namespace tutti::config

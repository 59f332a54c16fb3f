// What is wrong with a configuration, and where each effective value came from.
// Thread safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace tutti::config {

// One finding. `text` says what was found, what was expected and what to do.
struct Problem {
  std::string file;          // the file, or "command line", or "environment variable NAME"
  std::uint32_t line = 0;    // 1, 2, ...; 0: the finding has no place in a file
  std::uint32_t column = 0;  // 1, 2, ...
  std::string key{};         // "training.batch_size"; empty: the whole file
  std::string text{};
  bool permission = false;  // the file may not be read by this user
  bool operator==(const Problem&) const = default;
};

enum class Source { kDefault, kFile, kEnvironment, kCommandLine };

struct Origin {
  Source source = Source::kDefault;
  std::string where{};  // the file's name or the environment variable's
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// Full key ("training.batch_size", "model.layers[0].type") or section ("training") to where it was
// set. A key that is absent has its default.
using Origins = std::map<std::string, Origin>;

// "default", "server.toml:12", "environment TUTTI_LOG__LEVEL" or "command line".
std::string ToText(const Origin& origin);

// "file:line:column: key: text".
std::string ToText(const Problem& problem);

// One problem a line, in the order given.
std::string ToText(std::span<const Problem> problems);

// The file's problems by place, then those of the environment and the command line.
void Sort(std::vector<Problem>& problems);

// For the program's exit: 0 without problems, 77 (EX_NOPERM) when a file may not be read, else 78
// (EX_CONFIG).
int ExitCode(std::span<const Problem> problems);

}  // namespace tutti::config

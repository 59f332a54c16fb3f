// A look at TOML text before it is parsed: toml++ nests one table in another for each dot of a key
// and frees them by recursion, so a key of a hundred thousand parts would exhaust the stack.
// Internal to common/config. Thread safety: pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tutti::config {

struct TooDeep {
  std::uint32_t line = 0;
  std::uint32_t column = 0;  // in bytes
};

// The first place with more than 32 dots in one key or more than 32 open brackets. Strings and
// comments do not count.
std::optional<TooDeep> FindDeepNesting(std::string_view text);

}  // namespace tutti::config

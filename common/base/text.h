// Small text pieces every layer needs: joining values, escaping what came from outside, nearest
// names. Thread safety: pure functions.
#pragma once

#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace tutti {

// The arguments one after the other, as operator<< prints them.
template <typename... Parts>
std::string Join(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

std::string JoinWith(std::span<const std::string> parts, std::string_view separator);

// `text` with control bytes and bytes outside ASCII written as \xNN and cut to `limit` characters:
// text of a peer in our logs and errors can neither forge a line nor colour a terminal.
std::string Escaped(std::string_view text, std::size_t limit = 200);

// The candidate with the smallest edit distance to `word`, empty when none is closer than half the
// word.
std::string NearestName(std::string_view word, std::span<const std::string> candidates);

// True for names usable in paths, certificates and metrics: 1..64 of [a-z0-9._-], starting with a
// letter or digit.
bool IsSafeName(std::string_view name);

// `value` rounded UP to `digits` decimals: privacy losses are never printed smaller than they are.
std::string RoundedUp(double value, int digits);

}  // namespace tutti

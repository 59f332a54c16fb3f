#include <charconv>

#include "common/base/text.h"
#include "common/config/validate.h"

namespace tutti::config {
namespace {

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool IsHost(std::string_view host, bool bracketed) {
  if (host.empty() || host.size() > 253) {
    return false;
  }
  for (const char c : host) {
    const bool allowed =
        bracketed ? (IsHostCharacter(c) || c == ':' || c == '%') : IsHostCharacter(c);
    if (!allowed) {
      return false;
    }
  }
  return bracketed == (host.find(':') != std::string_view::npos);
}

}  // namespace

StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const Status wrong = InvalidArgument(
      Join("found \"", Escaped(text, 80),
           "\", expected host:port with a port from 0 to 65535, for instance 0.0.0.0:7443 or "
           "[::1]:7443"));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return wrong;
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  HostPort parsed{.host = std::string(host)};
  const auto number = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
  if (!IsHost(host, bracketed) || number.ec != std::errc() ||
      number.ptr != port.data() + port.size() || port.size() > 5) {
    return wrong;
  }
  return parsed;
}

bool IsLoopback(std::string_view host) {
  if (host == "localhost" || host == "::1") {
    return true;
  }
  // "127.example.org" is a name, not an address.
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace tutti::config

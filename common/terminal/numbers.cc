#include "common/terminal/numbers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "common/base/text.h"

namespace tutti::terminal {
namespace {

std::string Fixed(double value, int digits) {
  char buffer[512];  // the longest double has 309 digits before the point
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

}  // namespace

std::string Percent(double fraction) {
  return fraction >= 0 ? Fixed(fraction * 100, 2) + " %" : "-";
}

std::string Size(std::uint64_t bytes) {
  return bytes < 1000000 ? Fixed(static_cast<double>(bytes) / 1e3, 1) + " kB"
                         : Megabytes(bytes) + " MB";
}
std::string Megabytes(std::uint64_t bytes) { return Fixed(static_cast<double>(bytes) / 1e6, 1); }

std::string Seconds(double seconds) { return Fixed(seconds, 1); }

std::string Clock(double seconds) {
  const double longest = 1e9;  // a peer's number: keeps the conversion defined
  const auto whole =
      static_cast<std::int64_t>(seconds > 0 ? std::min(std::floor(seconds), longest) : 0);
  char buffer[64];
  if (whole >= 3600) {
    std::snprintf(buffer, sizeof buffer, "%lld:%02lld:%02lld", static_cast<long long>(whole / 3600),
                  static_cast<long long>(whole / 60 % 60), static_cast<long long>(whole % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld:%02lld", static_cast<long long>(whole / 60),
                  static_cast<long long>(whole % 60));
  }
  return buffer;
}

std::string Date(std::int64_t seconds_since_1970) {
  if (seconds_since_1970 == 0) {
    return "never";
  }
  const auto time = static_cast<std::time_t>(seconds_since_1970);
  std::tm fields{};
  char buffer[64];
  if (::gmtime_r(&time, &fields) == nullptr ||
      std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%SZ", &fields) == 0) {
    return Join(seconds_since_1970, " s");
  }
  return buffer;
}

std::string Bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  // By double: done * width of a peer's counters could wrap.
  const double fraction =
      total == 0 ? 0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<std::size_t>(fraction * static_cast<double>(width));
  return "[" + std::string(filled, '#') + std::string(width - filled, '.') + "]";
}

}  // namespace tutti::terminal

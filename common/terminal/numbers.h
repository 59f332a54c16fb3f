// Numbers as people read them, and bars. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace tutti::terminal {

std::string Percent(double fraction);               // "81.25 %"; "-" when negative (not measured)
std::string Megabytes(std::uint64_t bytes);         // "12.3": millions of bytes
std::string Size(std::uint64_t bytes);              // "37.4 kB", "12.3 MB"
std::string Seconds(double seconds);                // "12.3"
std::string Clock(double seconds);                  // "0:45", "1:02:03"
std::string Date(std::int64_t seconds_since_1970);  // "2026-01-31 12:00:00Z"; "never" for 0

// "[#####.....]", `width` characters between the brackets.
std::string Bar(std::uint64_t done, std::uint64_t total, std::size_t width);

}  // namespace tutti::terminal

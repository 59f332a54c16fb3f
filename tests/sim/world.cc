#include "tests/sim/world.h"

#include <cstdlib>
#include <iostream>
#include <utility>

namespace tutti::sim {

void World::Trace(std::string_view line) {
  const auto mix = [this](std::uint8_t byte) {
    trace_hash_ = (trace_hash_ ^ byte) * 0x100000001b3ULL;
  };
  for (const char c : std::to_string(now().count())) {
    mix(static_cast<std::uint8_t>(c));
  }
  for (const char c : line) {
    mix(static_cast<std::uint8_t>(c));
  }
  if (std::getenv("TUTTI_SIM_TRACE") != nullptr) {
    std::cerr << now().count() << " " << line << "\n";
  }
}

void World::Violation(std::string text) {
  if (violation_.empty()) {
    Trace(Join("VIOLATION ", text));
    violation_ = std::move(text);
  }
}

}  // namespace tutti::sim

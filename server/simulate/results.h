// A simulation's report as text for people and programs. Thread safety: pure functions.
#pragma once

#include <string>

#include "server/simulate/report.h"

namespace tutti::simulate {

// One line a round under a line of names; what was not measured is empty.
std::string ToCsv(const Report& report);

// One JSON document: what was simulated, its rounds, failures and totals. Not measured: null.
struct About {
  std::string job;
  std::uint64_t rounds = 0;  // the job's
  std::size_t clients = 0;
  std::size_t malicious = 0;
  std::uint64_t seed = 0;
  bool secure = false;
  bool with_privacy = false;
  double delta = 0;
};
std::string ToJson(const About& about, const Report& report);

// "round 3 of 20: ..." for the screen.
std::string RoundLine(const RoundReport& round, std::uint64_t rounds);
std::string FailureLine(const FailureReport& failure);
// Totals, and warnings that belong to them.
std::string Summary(const About& about, const Report& report);

}  // namespace tutti::simulate

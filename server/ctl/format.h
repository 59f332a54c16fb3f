// Numbers as the operator reads them. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "tutti/v1/admin.pb.h"

namespace tutti::ctl {

std::string Percent(double fraction);               // "81.25 %"; "-" when negative (not measured)
std::string Megabytes(std::uint64_t bytes);         // "12.3": millions of bytes
std::string Size(std::uint64_t bytes);              // "37.4 kB", "12.3 MB"
std::string Seconds(double seconds);                // "12.3"
std::string Clock(double seconds);                  // "0:45", "1:02:03"
std::string Date(std::int64_t seconds_since_1970);  // "2026-01-31 12:00:00Z"; "never" for 0
// Never smaller than it is, three decimals; "-" for a round without privacy.
std::string EpsilonText(double epsilon, bool privacy = true);
// "2.988 (coordinator and models)" or "8.199 (coordinator), 5.012 (models)": whom each is against.
std::string EpsilonsText(double coordinator, double models);
// "5", or "4 of 5" when the round went on without some of its groups.
std::string GroupsText(const v1::RoundInfo& round);

// One line a round: clients in the sum and dropped, accuracy, largest epsilon, traffic, time;
// totals below. Empty text without rounds.
std::string RoundTable(const google::protobuf::RepeatedPtrField<v1::RoundInfo>& rounds);

bool HasEnded(const v1::JobInfo& job);  // stopped, done or failed

}  // namespace tutti::ctl

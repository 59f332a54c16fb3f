// What a ledger says, summed for people: one line a data set. Thread safety: value types and pure
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/dp/accountant.h"
#include "tutti/v1/ledger.pb.h"

namespace tutti::client {

struct DataTotals {
  std::string data_identity;
  std::string unit;                   // "example" or "client"
  std::uint64_t rounds = 0;           // with privacy, that say something about the unit
  std::uint64_t without_privacy = 0;  // releases nothing was charged for
  double delta = 0;
  double epsilon = 0;         // of all these rounds together, at `delta`, against the coordinator
  double epsilon_models = 0;  // the same against whoever sees only the models
};

// One for each data set and unit, in the order in which they first appear. A client's round counts
// for its examples too (ledger::EventsFor), under the unit "example" when there are rounds of that
// unit. `delta`: where to count epsilon; nullopt: each data set's newest entry says.
StatusOr<std::vector<DataTotals>> TotalsOf(std::span<const v1::LedgerEntry> entries,
                                           std::optional<double> delta);

// How long a budget lasts if rounds go on as they did.
struct Outlook {
  std::uint64_t rounds = 0;    // like the newest one, that still fit
  std::optional<double> days;  // at the pace of the newest rounds (20 at most); unknown after one
};

// Of one data set and unit; nullopt: no round with privacy so far. `against_models`: the budget is
// counted as whoever sees only the models would. InvalidArgument: the budget is none.
StatusOr<std::optional<Outlook>> OutlookOf(std::span<const v1::LedgerEntry> entries,
                                           const std::string& data_identity,
                                           const std::string& unit, const dp::Budget& budget,
                                           bool against_models);

}  // namespace tutti::client

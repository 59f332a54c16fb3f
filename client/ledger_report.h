// What a ledger says, summed for people: one line a data set. Thread safety: value types and pure
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/ledger.pb.h"

namespace tutti::client {

struct DataTotals {
  std::string data_identity;
  std::uint64_t rounds = 0;           // with privacy
  std::uint64_t without_privacy = 0;  // releases nothing was charged for
  double delta = 0;
  double epsilon = 0;  // of all rounds with privacy together, at `delta`
};

// In the order in which the data sets first appear. `delta`: where to count epsilon; nullopt: each
// data set's newest entry says.
StatusOr<std::vector<DataTotals>> TotalsOf(std::span<const v1::LedgerEntry> entries,
                                           std::optional<double> delta);

}  // namespace tutti::client

// The lines that `tutti-client ledger export` prints, for `tutti privacy compose`: the same events
// as the device itself counts. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"
#include "server/ctl/event_file.h"

namespace tutti::ctl {

// What of a ledger is composed.
struct LedgerChoice {
  std::string data;              // data identity; empty: the only one there is
  std::string unit = "example";  // or client
  bool models = false;           // against whoever sees only the models, not the coordinator
};

// Whether the text looks like such lines and not like a list of events.
bool IsLedgerExport(std::string_view text);

// One event for each entry that costs the unit something; the newest entry's delta. Rounds without
// privacy are left out with a warning, unknown mechanisms become an UnknownRelease with one.
// InvalidArgument: a line is no entry, or the data set is not there or not the only one.
StatusOr<EventFile> ParseLedgerExport(std::string_view text, const LedgerChoice& choice);

}  // namespace tutti::ctl

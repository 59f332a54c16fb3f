// A list of mechanism events in a JSON file, for `tutti privacy compose`.
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/dp/mechanisms.h"

namespace tutti::ctl {

struct EventFile {
  std::optional<double> delta;
  std::vector<dp::Event> events;
  std::vector<std::string> warnings;  // of mechanisms nobody knows; they became UnknownRelease
};

// {"delta": 1e-5, "events": [{"mechanism": "gaussian", "noise_multiplier": 1.1, ...}, ...]}. The
// keys are the fields of common/dp/mechanisms.h; "steps" is 1 when it is missing. A mechanism that
// is not known becomes an UnknownRelease. InvalidArgument for anything else that is wrong, naming
// the event by its place in the list, the key, and what was expected; at most 100,000 events.
StatusOr<EventFile> ParseEventFile(std::string_view text);

}  // namespace tutti::ctl

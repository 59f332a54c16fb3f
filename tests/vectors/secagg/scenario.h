// The rounds whose transcripts are kept. Thread safety: value types.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/secagg/config.h"
#include "common/secagg/messages.h"

namespace tutti::vectors {

enum class LastStep { kJoin, kShare, kMask, kCommit, kUnmask };  // that a client answers
std::string_view NameOf(LastStep step);

struct Scenario {
  std::string name;  // of the file
  std::string about;
  secagg::RoundConfig config;
  std::vector<LastStep> last;        // by client: one each
  std::set<secagg::Index> recorded;  // whose messages and secrets are kept; empty: everybody's
};

std::vector<Scenario> AllScenarios();

}  // namespace tutti::vectors

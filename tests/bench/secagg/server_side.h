// The server's process: a ServerSession and an Accumulator behind a line, each call of theirs
// timed. Thread safety: confined to one thread.
#pragma once

#include <string>

#include "common/secagg/config.h"
#include "tests/bench/secagg/calls.h"

namespace tutti::bench {

// Client `index` of the bench, whose place in the roster is the same number.
std::string NameOf(std::uint32_t index);

// Answers until the other end closes. Level malicious: clients' certificates are checked against
// `ca_pem`; when they are not new, each was checked before its join is timed.
Status ServeRound(Line& line, const secagg::RoundConfig& config, const std::string& ca_pem,
                  bool new_certificates);

}  // namespace tutti::bench

// tutti-bench secagg: one round of secure aggregation, without network: every client's real session
// and the real server session, each side in a process of its own, so that the server's memory is
// its own. Vectors are made, masked and sent one after another: neither side holds two.
// Thread safety: MeasureSecagg forks and must run while the process has one thread.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/secagg/config.h"

namespace tutti::bench {

struct SecaggSettings {
  std::uint32_t clients = 100;  // n
  std::uint64_t values = 1048576;
  double dropout = 0;  // of the clients share their secrets and never upload
  secagg::ThreatLevel level = secagg::ThreatLevel::kCurious;
  double corrupt = 0.1;          // gamma of the round's configuration
  double planned_dropout = 0.1;  // delta of the round's configuration
  // Level malicious: nobody has seen a certificate before, as in the first round of a device's
  // life. Otherwise all are in the verifiers' memory already.
  bool new_certificates = false;
};

// CPU seconds of one core. The digest of an uploaded vector is the shell's work, not the session's,
// so it is told apart.
struct ServerCosts {
  double sum = 0;      // adding the vectors
  double rebuild = 0;  // secrets from shares, checked; seeds of the leftover masks
  double unmask = 0;   // removing the leftover masks
  double cpu = 0;      // all of the sessions' and accumulator's work, the three above included
  double digest = 0;   // SHA-256 of the vectors, not in `cpu`
  std::uint32_t neighbours = 0;
  std::uint32_t threshold = 0;
  std::uint64_t masks = 0;    // left in the sum
  double added_elements = 0;  // of all vectors
  std::uint64_t peak_rss_bytes = 0;
  std::uint8_t sum_sha256[32] = {};
};

// CPU seconds and bytes, each a mean over the clients that took the step.
struct ClientCosts {
  double keys = 0;    // new keys, join
  double share = 0;   // roster checked, keys agreed, share boxes made
  double mask = 0;    // boxes opened, vector encoded, masked and hashed, header made
  double unmask = 0;  // survivor set and commits checked, shares revealed
  double upload_bytes = 0;
  double download_bytes = 0;  // without the model
};

struct SecaggFigures {
  ClientCosts client;
  ServerCosts server;
  bool exact = false;  // the opened sum is the plain sum of the survivors' encoded vectors
};

StatusOr<SecaggFigures> MeasureSecagg(const SecaggSettings& settings);

}  // namespace tutti::bench

// Who masks with whom: neighbours and thresholds from the cohort's size and the session id.
// Thread safety: pure functions. Source: Bell et al. 2020 (permuted Harary graph, hypergeometric tails).
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/secagg/config.h"

namespace tutti::secagg {

struct GraphParameters {
  std::uint32_t neighbours = 0;  // k
  std::uint32_t threshold = 0;   // t
  bool operator==(const GraphParameters&) const = default;
};

// n <= 64: the complete graph. Above: smallest even k with conditions (a)-(d) of docs/protocol.md.
// InvalidArgument when no safe choice exists (malicious needs corrupt + 2 * dropout < 1).
StatusOr<GraphParameters> ChooseGraph(std::uint32_t cohort, ThreatLevel level, double corrupt_fraction,
                                      double dropout_fraction, std::uint32_t privacy_bits, std::uint32_t liveness_bits);

// neighbours[i]: ascending indices. The permutation is Fisher-Yates from AES-CTR keyed by SHA-256("graph" || seed).
// `session_id` binds it to configuration, roster and cohort.
class Graph {
 public:
  Graph(std::uint32_t cohort, std::uint32_t neighbours, const Digest& session_id);
  const std::vector<std::uint32_t>& NeighboursOf(std::uint32_t index) const;

 private:
  std::vector<std::vector<std::uint32_t>> neighbours_;
};

}  // namespace tutti::secagg

// Who masks with whom: neighbours and thresholds from the cohort's size and the session id.
// Thread safety: pure functions and value types.
// Source: Bell et al. 2020 (permuted Harary graph, hypergeometric tails); docs/protocol.md
// section 3.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/secagg/config.h"

namespace tutti::secagg {

inline constexpr std::uint32_t kLargestCompleteGraph =
    64;  // clients; above, the sparse graph is tried first
// Shares are evaluated over GF(2^8) at points 1 .. k, and one point is kept spare.
inline constexpr std::uint32_t kMaxNeighbours = 254;
// The commit certificate is global: everyone checks a majority of all signatures.
inline constexpr std::uint32_t kMaxMaliciousCohort = 2000;

struct GraphParameters {
  std::uint32_t neighbours = 0;  // k
  std::uint32_t threshold = 0;   // t
  bool operator==(const GraphParameters&) const = default;
};

// n <= 64: the complete graph. Above: the smallest even k with conditions (a)-(d) of
// docs/protocol.md section 3, or the complete graph when there is none. t is at least 2, except in
// a cohort of two, where only 1 is possible. InvalidArgument when no safe choice exists (malicious
// needs about corrupt + 2 * dropout < 1) or it needs more than kMaxNeighbours neighbours.
StatusOr<GraphParameters> ChooseGraph(std::uint32_t cohort, ThreatLevel level,
                                      double corrupt_fraction, double dropout_fraction,
                                      std::uint32_t privacy_bits, std::uint32_t liveness_bits);

// The sparse graph's parameters alone, searched up to `largest` neighbours. NotFound when no k < n
// - 1 up to there fits.
StatusOr<GraphParameters> FindSparseGraph(std::uint32_t cohort, ThreatLevel level,
                                          double corrupt_fraction, double dropout_fraction,
                                          std::uint32_t privacy_bits, std::uint32_t liveness_bits,
                                          std::uint32_t largest);

// floor(fraction * cohort), forgiving the last bits of a decimal fraction: 0.29 of 100 is 29.
std::uint32_t FractionOf(std::uint32_t cohort, double fraction);

// T_c: commits to one survivor set that no second set can also collect while at most
// corrupt_fraction of the clients sign twice. floor((1 + corrupt_fraction) * n / 2) + 1.
std::uint32_t CommitsNeeded(std::uint32_t cohort, double corrupt_fraction);

// neighbours[i]: ascending indices. i and j are neighbours when their places in a permutation of
// the cohort are at most k/2 apart on the circle. The permutation is Fisher-Yates from AES-CTR
// keyed by SHA-256("tutti.secagg.v1/graph" || session_id): nobody chooses a client's neighbours.
class Graph {
 public:
  Graph(std::uint32_t cohort, std::uint32_t neighbours, const Digest& session_id);
  const std::vector<std::uint32_t>& NeighboursOf(std::uint32_t index) const;

 private:
  std::vector<std::vector<std::uint32_t>> neighbours_;
};

// One client's row of the graph without building the others.
std::vector<std::uint32_t> NeighboursInGraph(std::uint32_t cohort, std::uint32_t neighbours,
                                             const Digest& session_id, std::uint32_t index);

}  // namespace tutti::secagg

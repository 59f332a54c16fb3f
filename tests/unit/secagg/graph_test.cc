#include "common/secagg/graph.h"

#include <algorithm>
#include <set>

#include "tests/catch.h"

namespace tutti::secagg {
namespace {

constexpr std::uint32_t kNoCap = 10000;

struct Row {
  std::uint32_t cohort;
  ThreatLevel level;
  std::uint32_t privacy_bits;
  GraphParameters expected[5];  // for the five pairs of fractions below
};
constexpr double kFractions[5][2] = {{.05, .05}, {.05, .10}, {.10, .10}, {.10, .20}, {.20, .20}};
constexpr ThreatLevel L0 = ThreatLevel::kCurious;
constexpr ThreatLevel L1 = ThreatLevel::kMalicious;
// docs/protocol.md section 3, liveness_bits = 20.
constexpr Row kTable[] = {
    {100, L0, 40, {{12, 6}, {16, 6}, {22, 11}, {28, 11}, {40, 21}}},
    {100, L1, 40, {{16, 11}, {26, 16}, {32, 22}, {52, 32}, {62, 42}}},
    {1000, L0, 40, {{30, 17}, {36, 19}, {48, 27}, {66, 31}, {98, 54}}},
    {1000, L1, 40, {{52, 37}, {78, 52}, {96, 67}, {194, 124}, {302, 206}}},
    {1000, L1, 80, {{66, 49}, {94, 65}, {120, 87}, {230, 151}, {356, 248}}},
    {10000, L0, 40, {{34, 20}, {42, 22}, {54, 31}, {78, 37}, {122, 67}}},
    {10000, L1, 40, {{62, 44}, {96, 64}, {122, 85}, {280, 179}, {482, 328}}},
    {10000, L1, 80, {{82, 61}, {120, 83}, {156, 113}, {344, 226}, {610, 424}}},
};

}  // namespace

TEST_CASE("the sparse graph's degree and threshold are the documented ones", "[secagg]") {
  for (const Row& row : kTable) {
    for (int column = 0; column < 5; ++column) {
      INFO("cohort " << row.cohort << " privacy bits " << row.privacy_bits << " column " << column);
      const StatusOr<GraphParameters> found =
          FindSparseGraph(row.cohort, row.level, kFractions[column][0], kFractions[column][1],
                          row.privacy_bits, 20, kNoCap);
      REQUIRE(found.ok());
      REQUIRE(found->neighbours == row.expected[column].neighbours);
      REQUIRE(found->threshold == row.expected[column].threshold);
    }
  }
}

TEST_CASE("the finder agrees with the reference of google-parfait/federated-compute", "[secagg]") {
  // Its own test: 1000 clients, 0.3 corrupt, 0.3 dropping out, honest but curious: degree 218,
  // threshold 116.
  const StatusOr<GraphParameters> found = ChooseGraph(1000, L0, 0.3, 0.3, 40, 20);
  REQUIRE(found.ok());
  REQUIRE(*found == GraphParameters{.neighbours = 218, .threshold = 116});
}

TEST_CASE("more neighbours than points of the field are refused", "[secagg]") {
  REQUIRE(ChooseGraph(1000, L1, 0.2, 0.2, 40, 20).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(ChooseGraph(10000, L1, 0.1, 0.2, 80, 20).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("tiny cohorts get the complete graph and thresholds that one holder cannot meet",
          "[secagg]") {
  for (const ThreatLevel level : {L0, L1}) {
    for (std::uint32_t n = 3; n <= kLargestCompleteGraph; ++n) {
      const StatusOr<GraphParameters> graph = ChooseGraph(n, level, 0.1, 0.1, 40, 20);
      INFO("cohort " << n);
      REQUIRE(graph.ok());
      REQUIRE(graph->neighbours == n - 1);
      REQUIRE(graph->threshold >= 2);
      const std::uint32_t corrupt = FractionOf(n, 0.1);
      REQUIRE(graph->threshold > corrupt);
      if (level == L1) {
        // Nobody's two secrets can both be opened: honest holders answer once, corrupt ones twice.
        REQUIRE(2 * graph->threshold > graph->neighbours + corrupt);
      }
      if (n >= 4) {
        REQUIRE(graph->threshold <= graph->neighbours - 1);  // one dropout leaves enough holders
      }
    }
    REQUIRE(*ChooseGraph(2, level, 0.1, 0.1, 40, 20) ==
            GraphParameters{.neighbours = 1, .threshold = 1});
  }
  REQUIRE(ChooseGraph(3, L0, 0.1, 0.1, 40, 20)->threshold == 2);
  REQUIRE(ChooseGraph(4, L1, 0.1, 0.1, 40, 20)->threshold == 2);
  REQUIRE(ChooseGraph(8, L1, 0.1, 0.1, 40, 20)->threshold == 4);
}

TEST_CASE("cohorts of one or none, and fractions without a threshold, have no graph", "[secagg]") {
  REQUIRE_FALSE(ChooseGraph(0, L0, 0.1, 0.1, 40, 20).ok());
  REQUIRE_FALSE(ChooseGraph(1, L0, 0.1, 0.1, 40, 20).ok());
  REQUIRE_FALSE(ChooseGraph(kMaxCohort + 1, L0, 0.1, 0.1, 40, 20).ok());
  REQUIRE_FALSE(ChooseGraph(10, L1, 0.3, 0.4, 40, 20).ok());
  REQUIRE_FALSE(ChooseGraph(100, L1, 0.3, 0.4, 40, 20).ok());
  REQUIRE_FALSE(ChooseGraph(3, L0, 0.0, 0.6, 40, 20).ok());
}

TEST_CASE("two survivor sets cannot both find enough signers", "[secagg]") {
  for (std::uint32_t n = 2; n <= kMaxMaliciousCohort; ++n) {
    for (const double corrupt : {0.0, 0.1, 0.29, 0.3, 0.49}) {
      REQUIRE(2 * CommitsNeeded(n, corrupt) > n + FractionOf(n, corrupt));
    }
  }
  REQUIRE(CommitsNeeded(1000, 0.1) == 551);
  REQUIRE(FractionOf(100, 0.29) == 29);
}

TEST_CASE("the graph is symmetric, regular, without loops, and a client can draw its row alone",
          "[secagg]") {
  Digest session{};
  for (const auto& [n, k] :
       {std::pair<std::uint32_t, std::uint32_t>{70, 22}, {101, 40}, {5, 4}, {64, 63}, {2, 1}}) {
    session[0] = static_cast<std::uint8_t>(n);
    const Graph graph(n, k, session);
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::vector<std::uint32_t>& row = graph.NeighboursOf(i);
      REQUIRE(row.size() == k);
      REQUIRE(std::is_sorted(row.begin(), row.end()));
      REQUIRE(std::adjacent_find(row.begin(), row.end()) == row.end());
      REQUIRE_FALSE(std::binary_search(row.begin(), row.end(), i));
      for (const std::uint32_t j : row) {
        const std::vector<std::uint32_t>& back = graph.NeighboursOf(j);
        REQUIRE(std::binary_search(back.begin(), back.end(), i));
      }
      REQUIRE(NeighboursInGraph(n, k, session, i) == row);
    }
  }
}

TEST_CASE("another session gives other neighbours", "[secagg]") {
  Digest one{}, other{};
  other[31] = 1;
  REQUIRE(NeighboursInGraph(500, 40, one, 7) != NeighboursInGraph(500, 40, other, 7));
  REQUIRE(NeighboursInGraph(500, 40, one, 7) == NeighboursInGraph(500, 40, one, 7));
}

}  // namespace tutti::secagg

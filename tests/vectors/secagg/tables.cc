#include "tests/vectors/secagg/tables.h"

#include "common/crypto/hash.h"
#include "common/secagg/chunks.h"
#include "common/secagg/graph.h"

namespace tutti::vectors {
namespace {

struct GraphCase {
  std::uint32_t cohort = 0;
  secagg::ThreatLevel level = secagg::ThreatLevel::kCurious;
  double corrupt = 0.1, dropout = 0.1;
  std::uint32_t privacy_bits = 40;
};
constexpr std::uint32_t kLivenessBits = 20;

Json Described(const GraphCase& c) {
  const StatusOr<secagg::GraphParameters> chosen =
      secagg::ChooseGraph(c.cohort, c.level, c.corrupt, c.dropout, c.privacy_bits, kLivenessBits);
  Json json{{"cohort", c.cohort},
            {"level", static_cast<unsigned>(c.level)},
            {"corrupt_fraction", c.corrupt},
            {"dropout_fraction", c.dropout},
            {"privacy_bits", c.privacy_bits},
            {"liveness_bits", kLivenessBits}};
  if (!chosen.ok()) {
    json["refused"] = true;
    return json;
  }
  json["neighbours"] = chosen->neighbours;
  json["threshold"] = chosen->threshold;
  json["commits_needed"] = secagg::CommitsNeeded(c.cohort, c.corrupt);
  return json;
}

Json ParameterRows() {
  Json rows = Json::array();
  for (const secagg::ThreatLevel level :
       {secagg::ThreatLevel::kCurious, secagg::ThreatLevel::kMalicious}) {
    for (const std::uint32_t cohort :
         {2U, 3U, 4U, 5U, 6U, 10U, 20U, 63U, 64U, 65U, 100U, 257U, 1000U}) {
      rows.push_back(Described({.cohort = cohort, .level = level}));
    }
    for (const auto& [corrupt, dropout] :
         {std::pair{0.05, 0.05}, {0.05, 0.1}, {0.29, 0.1}, {0.2, 0.2}}) {
      rows.push_back(Described({100, level, corrupt, dropout, 40}));
      rows.push_back(Described({1000, level, corrupt, dropout, 80}));
    }
  }
  return rows;
}

Json NeighbourRows() {
  Json rows = Json::array();
  const Digest sid = crypto::Sha256(AsBytes("a session"));
  for (const auto& [cohort, neighbours] : {std::pair{70U, 12U}, {300U, 30U}, {5U, 4U}}) {
    for (const std::uint32_t index : {0U, 1U, cohort - 1}) {
      rows.push_back({{"sid", Hex(sid)},
                      {"cohort", cohort},
                      {"neighbours", neighbours},
                      {"index", index},
                      {"row", secagg::NeighboursInGraph(cohort, neighbours, sid, index)}});
    }
  }
  return rows;
}

}  // namespace

Json GraphTable() {
  return {{"about",
           "neighbours k, threshold t and commits T_c by cohort and assumptions; rows of "
           "the graph"},
          {"parameters", ParameterRows()},
          {"rows", NeighbourRows()}};
}

Json ChunkTable() {
  Json cases = Json::array();
  for (const std::size_t bytes : {1U, 262144U, 262145U, 600001U}) {
    Bytes vector(bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
      vector[i] = static_cast<std::uint8_t>(i * 131 + (i >> 8) + 7);
    }
    const secagg::MaskedHeader header = secagg::UnsignedHeader(vector);
    cases.push_back({{"bytes", bytes},
                     {"chunks", List(header.chunks, [](const Digest& d) { return Hex(d); })},
                     {"root", Hex(header.root)}});
  }
  return {{"about", "byte i of each vector is (131 i + floor(i / 256) + 7) mod 256"},
          {"cases", cases}};
}

}  // namespace tutti::vectors

// The server's memory, read by the server's own process: tests/bench/secagg runs it apart from its
// clients.
#include "tests/bench/secagg/secagg_bench.h"
#include "tests/catch.h"

namespace tutti::bench {
namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

// Accumulator, one vector in flight, the share boxes, and the program with all else.
std::uint64_t Ceiling(const SecaggSettings& settings, const ServerCosts& server) {
  const std::uint64_t vectors = 2 * 4 * settings.values;
  const std::uint64_t boxes = std::uint64_t{settings.clients} * server.neighbours * 96;
  return vectors + boxes + 64 * kMebibyte;
}

SecaggFigures Run(const SecaggSettings& settings) {
  const StatusOr<SecaggFigures> figures = MeasureSecagg(settings);
  REQUIRE(TextOf(figures.status()) == "");
  REQUIRE(figures->exact);
  return *figures;
}

TEST_CASE("the server's memory does not grow with the number of vectors", "[secagg]") {
  const SecaggSettings settings{
      .clients = 40, .values = 1'000'000, .dropout = 0.1, .level = secagg::ThreatLevel::kMalicious};
  const ServerCosts server = Run(settings).server;
  // What must not be held: 36 vectors.
  REQUIRE(Ceiling(settings, server) < 36 * 4 * settings.values);
  REQUIRE(server.peak_rss_bytes <= Ceiling(settings, server));
}

TEST_CASE("the server's memory for a large cohort is its share boxes", "[secagg]") {
  const SecaggSettings settings{.clients = 1500, .values = 1000, .dropout = 0.05};
  const ServerCosts server = Run(settings).server;
  REQUIRE(server.peak_rss_bytes <= Ceiling(settings, server));
}

}  // namespace
}  // namespace tutti::bench

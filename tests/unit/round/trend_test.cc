#include "server/round/trend.h"

#include <cmath>

#include "tests/catch.h"

namespace tutti::round::internal {
namespace {

ModelRef Model(std::uint64_t round) {
  ModelRef model;
  model.sha256[0] = static_cast<std::uint8_t>(round);
  model.bytes = 100;
  return model;
}

Trend Of(const std::vector<double>& losses) {
  Trend trend;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    trend.Offered(i + 1, Model(i + 1));
    trend.Evaluated(i + 1, losses[i]);
  }
  return trend;
}

TEST_CASE("a job ends when the loss has not fallen for as long as it has patience", "[trend]") {
  REQUIRE_FALSE(Of({3, 2, 2.5, 2.1}).Judge(4, 3, 0));
  const auto verdict = Of({3, 2, 2.5, 2.1, 2}).Judge(5, 3, 0);
  REQUIRE(verdict);
  REQUIRE(verdict->back_to == 0);
  REQUIRE(verdict->reason.find("of round 2") != std::string::npos);
  REQUIRE_FALSE(Of({3, 2, 2.5, 2.1, 1.9}).Judge(5, 3, 0));
  REQUIRE_FALSE(Of({3, 2, 2.5, 2.1, 2}).Judge(5, 0, 0));  // it never ends early
}

TEST_CASE("a model that is much worse than the best is dropped", "[trend]") {
  REQUIRE_FALSE(Of({3, 2, 2.5}).Judge(3, 0, 0.5));
  const auto verdict = Of({3, 2, 3.5}).Judge(3, 0, 0.5);
  REQUIRE(verdict);
  REQUIRE(verdict->back_to == 2);
  const double nan = std::nan("");
  REQUIRE(Of({3, 2, nan}).Judge(3, 0, 0.5)->back_to == 2);
  // A round is not judged by what came before the best one.
  REQUIRE_FALSE(Of({3, 2}).Judge(1, 0, 0.1));
}

TEST_CASE("the best model is remembered however long ago it was", "[trend]") {
  std::vector<double> losses(40, 2.0);
  losses[1] = 1.0;
  Trend trend = Of(losses);
  REQUIRE(trend.Best() == 2);
  REQUIRE(trend.ModelOf(2)->sha256 == Model(2).sha256);
  REQUIRE_FALSE(trend.ModelOf(3));
  // What was dropped is not judged again; what follows is.
  trend.Evaluated(40, 9);
  REQUIRE(trend.Judge(40, 0, 0.5)->back_to == 2);
  trend.Dropped(40);
  REQUIRE_FALSE(trend.Judge(40, 0, 0.5));
  trend.Evaluated(41, 9);
  REQUIRE(trend.Judge(41, 0, 0.5)->back_to == 2);
  // Without its checkpoint there is nothing to go back to.
  REQUIRE_FALSE(Trend({{1, 1.0}, {2, 9.0}}, {}).Judge(2, 0, 0.5));
}

}  // namespace
}  // namespace tutti::round::internal

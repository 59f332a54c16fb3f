#include "common/dp/accountant.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/base/rng.h"
#include "tests/catch.h"
#include "tests/unit/dp/vectors.h"

namespace tutti::dp {
namespace {

using testing::ReadRows;
using testing::Row;

SubsampledGaussian EventOf(const Row& row) {
  return {row.at("q"), row.at("sigma"), static_cast<std::uint64_t>(row.at("steps"))};
}

double Epsilon(const std::vector<SubsampledGaussian>& events, double delta) {
  const StatusOr<SpentBudget> spent = SpentEpsilon(events, delta);
  REQUIRE(spent.ok());
  return spent->epsilon;
}

TEST_CASE("epsilon equals Opacus 1.4 in every row", "[dp]") {
  const std::vector<Row> rows = ReadRows("rdp_opacus.csv");
  REQUIRE(rows.size() == 315);
  for (const Row& row : rows) {
    const std::vector<SubsampledGaussian> events = {EventOf(row)};
    const StatusOr<SpentBudget> spent = SpentEpsilon(events, row.at("delta"));
    REQUIRE(spent.ok());
    REQUIRE(spent->epsilon == Approx(row.at("eps_rdp_opacus")).epsilon(1e-9));
    REQUIRE(spent->order == row.at("order"));
  }
}

TEST_CASE("epsilon is never above Google's RDP and never below Google's PLD", "[dp]") {
  const std::vector<Row> rows = ReadRows("subsampled_gaussian.csv");
  REQUIRE(rows.size() == 315);
  for (const Row& row : rows) {
    const double epsilon = Epsilon({EventOf(row)}, row.at("delta"));
    REQUIRE(epsilon <= row.at("eps_rdp") + 1e-9);
    REQUIRE(epsilon >= row.at("eps_pld"));
  }
}

TEST_CASE("different mechanisms compose as Google's accountant composes them", "[dp]") {
  // heterogeneous.csv, first row: dp_accounting 0.6.0, eps_rdp and eps_pld.
  const double epsilon = Epsilon({{0.01, 1.0, 500}, {0.02, 1.5, 300}}, 1e-5);
  REQUIRE(epsilon <= 1.9517460187888216 + 1e-9);
  REQUIRE(epsilon >= 1.68260120192187);
}

TEST_CASE("nothing spent is epsilon 0, no noise is infinite", "[dp]") {
  REQUIRE(Epsilon({}, 1e-5) == 0);
  REQUIRE(Epsilon({{0.1, 1, 0}, {1, 0, 0}}, 1e-5) == 0);
  REQUIRE(std::isinf(Epsilon({{0.1, 1, 10}, {0.1, 0, 1}}, 1e-5)));
  REQUIRE(std::isinf(Epsilon({{0.1, 1, 10}, {1, 0, 1}}, 1e-5)));
}

TEST_CASE("events that are not mechanisms are refused by name", "[dp]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double rate : {0.0, -0.1, 1.0001, nan, infinity}) {
    const std::vector<SubsampledGaussian> events = {{rate, 1, 1}};
    REQUIRE(SpentEpsilon(events, 1e-5).status().code() == StatusCode::kInvalidArgument);
    REQUIRE(TextOf(SpentEpsilon(events, 1e-5).status()).find("sampling rate") != std::string::npos);
  }
  for (const double noise : {-1.0, nan, infinity}) {
    const std::vector<SubsampledGaussian> events = {{0.1, noise, 1}};
    REQUIRE(TextOf(SpentEpsilon(events, 1e-5).status()).find("noise multiplier") !=
            std::string::npos);
  }
  for (const double delta : {0.0, 1.0, -1.0, nan}) {
    REQUIRE(SpentEpsilon(std::vector<SubsampledGaussian>{}, delta).status().code() ==
            StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a refused event changes nothing", "[dp]") {
  Accountant accountant;
  REQUIRE(accountant.Add({0.01, 1, 100}).ok());
  const RdpCurve before = accountant.curve();
  REQUIRE(!accountant.Add({2, 1, 100}).ok());
  REQUIRE(accountant.curve() == before);
}

TEST_CASE("step by step costs what all at once costs, in any order", "[dp]") {
  Accountant accountant;
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(accountant.Add({0.01, 1.1, 3}).ok());
    REQUIRE(accountant.Add({0.02, 1.3, 1}).ok());
  }
  const double once = Epsilon({{0.02, 1.3, 1000}, {0.01, 1.1, 3000}}, 1e-5);
  REQUIRE(accountant.Spent(1e-5)->epsilon == Approx(once).epsilon(1e-12));
}

TEST_CASE("asking what an event would cost does not spend it", "[dp]") {
  Accountant accountant;
  REQUIRE(accountant.Add({0.01, 1, 100}).ok());
  const double with = accountant.SpentWith({0.01, 1, 50}, 1e-5)->epsilon;
  REQUIRE(accountant.Spent(1e-5)->epsilon == Epsilon({{0.01, 1, 100}}, 1e-5));
  REQUIRE(accountant.Add({0.01, 1, 50}).ok());
  REQUIRE(accountant.Spent(1e-5)->epsilon == with);
}

TEST_CASE("composition never forgets: each event makes epsilon no smaller", "[dp]") {
  TestRng rng(3);
  for (int world = 0; world < 30; ++world) {
    Accountant accountant;
    double last = 0;
    for (int event = 0; event < 10; ++event) {
      REQUIRE(accountant.Add({0.001 + 0.5 * rng.Unit(), 0.5 + 3 * rng.Unit(), rng.Below(50)}).ok());
      const double epsilon = accountant.Spent(1e-5)->epsilon;
      REQUIRE(epsilon >= last);
      last = epsilon;
    }
  }
}

TEST_CASE("the largest number of steps fits and one more does not", "[dp]") {
  TestRng rng(4);
  for (int world = 0; world < 60; ++world) {
    Accountant accountant;
    REQUIRE(accountant.Add({0.01, 1, rng.Below(300)}).ok());
    const SubsampledGaussian event{0.002 + 0.2 * rng.Unit(), 0.6 + 2 * rng.Unit(), 0};
    const Budget budget{0.5 + 4 * rng.Unit(), 1e-5};
    const std::uint64_t most = *accountant.MaxSteps(event, budget);
    SubsampledGaussian planned = event;
    planned.steps = most + 1;
    REQUIRE(accountant.SpentWith(planned, budget.delta)->epsilon > budget.epsilon);
    planned.steps = most;
    if (most > 0) {
      REQUIRE(accountant.SpentWith(planned, budget.delta)->epsilon <= budget.epsilon);
    }
  }
}

TEST_CASE("a used-up budget allows no step, an unbounded one allows many", "[dp]") {
  Accountant accountant;
  REQUIRE(accountant.Add({1, 0.5, 10}).ok());
  REQUIRE(*accountant.MaxSteps({0.01, 1, 0}, {1, 1e-5}) == 0);
  REQUIRE(*Accountant().MaxSteps({0.01, 0, 0}, {1000, 1e-5}) == 0);
  REQUIRE(*Accountant().MaxSteps({1e-300, 100, 0}, {1, 1e-5}) == std::uint64_t{1} << 62);
  REQUIRE(!Accountant().MaxSteps({0.01, 1, 0}, {0, 1e-5}).ok());
}

}  // namespace
}  // namespace tutti::dp

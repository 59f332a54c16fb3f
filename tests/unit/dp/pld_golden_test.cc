#include <cmath>
#include <vector>

#include "common/dp/accountant.h"
#include "common/dp/pld.h"
#include "tests/catch.h"
#include "tests/unit/dp/vectors.h"

namespace tutti::dp {
namespace {

using testing::ReadRows;
using testing::Row;

std::uint64_t Whole(const Row& row, const char* name) {
  return static_cast<std::uint64_t>(row.at(name));
}

// Epsilon by loss distributions alone, without the cap by the Renyi curve.
double PldAlone(const Event& event, double delta, double interval) {
  double epsilon = 0;
  for (const Direction direction : {Direction::kRemove, Direction::kAdd}) {
    const std::vector<RepeatedLoss> losses = {{GridOf(event, direction, interval), StepsOf(event)}};
    epsilon = std::max(epsilon, EpsilonOfLosses(losses, interval, delta));
  }
  return epsilon;
}

// Equal to 1e-6 and never lower.
void RequireGolden(double epsilon, double golden) {
  REQUIRE(epsilon >= golden - 1e-9);
  REQUIRE(epsilon <= golden * (1 + 1e-6));
}

TEST_CASE("the PLD of sampled Gaussians equals Google's and is never lower", "[dp]") {
  const std::vector<Row> rows = ReadRows("subsampled_gaussian.csv");
  REQUIRE(rows.size() == 315);
  for (std::size_t i = 0; i < rows.size(); i += testing::Stride()) {
    const Row& row = rows[i];
    const std::vector<Event> events = {
        SubsampledGaussian{row.at("q"), row.at("sigma"), Whole(row, "steps")}};
    INFO("q " << row.at("q") << " sigma " << row.at("sigma") << " steps " << row.at("steps"));
    const StatusOr<PldBudget> spent =
        SpentEpsilonByPld(events, row.at("delta"), row.at("pld_interval"));
    REQUIRE(spent.ok());
    REQUIRE(spent->interval == row.at("pld_interval"));
    RequireGolden(spent->epsilon, row.at("eps_pld"));
    REQUIRE(spent->epsilon <= SpentEpsilon(events, row.at("delta"))->epsilon * (1 + 1e-9));
  }
}

TEST_CASE("the interval is chosen by the range of epsilon", "[dp]") {
  REQUIRE(IntervalFor(19.9) == 1e-4);
  REQUIRE(IntervalFor(20) == 1e-3);
  REQUIRE(IntervalFor(499) == 1e-3);
  REQUIRE(IntervalFor(500) == 1e-2);
  int same = 0;
  const std::vector<Row> rows = ReadRows("subsampled_gaussian.csv");
  for (const Row& row : rows) {
    const SubsampledGaussian event{row.at("q"), row.at("sigma"), Whole(row, "steps")};
    const double renyi = SpentEpsilon({&event, 1}, row.at("delta"))->epsilon;
    same += IntervalFor(renyi) == row.at("pld_interval") ? 1 : 0;
  }
  // In a few rows Google's looser RDP lies on the other side of a limit, or a row without sampling
  // used the finest grid.
  REQUIRE(same >= 305);
}

TEST_CASE("Gaussians without sampling are one Gaussian, and equal Google's PLD", "[dp]") {
  const std::vector<Row> rows = ReadRows("gaussian.csv");
  REQUIRE(rows.size() == 41);
  for (const Row& row : rows) {
    const double interval = row.at("eps_rdp") < 100 ? 1e-4 : 1e-3;
    const std::vector<Event> events = {SubsampledGaussian{1, row.at("sigma"), Whole(row, "steps")}};
    INFO("sigma " << row.at("sigma") << " steps " << row.at("steps"));
    const StatusOr<PldBudget> spent = SpentEpsilonByPld(events, row.at("delta"), interval);
    REQUIRE(spent.ok());
    RequireGolden(spent->epsilon, row.at("eps_pld"));
    REQUIRE(spent->epsilon >= row.at("eps_exact_analytic"));
  }
}

TEST_CASE("the PLD of Laplace noise equals Google's, plain and sampled", "[dp]") {
  const std::vector<Row> plain = ReadRows("laplace.csv");
  REQUIRE(plain.size() == 24);
  for (const Row& row : plain) {
    const double interval = row.at("eps_pure") <= 100 ? 1e-4 : 1e-3;
    const SubsampledLaplace event{1, row.at("b"), Whole(row, "steps")};
    INFO("b " << row.at("b") << " steps " << row.at("steps"));
    RequireGolden(PldAlone(event, row.at("delta"), interval), row.at("eps_pld"));
    const std::vector<Event> events = {event};
    REQUIRE(SpentEpsilon(events, row.at("delta"))->epsilon ==
            Approx(row.at("eps_rdp")).epsilon(1e-9));
  }
  const std::vector<Row> sampled = ReadRows("laplace_subsampled.csv");
  REQUIRE(sampled.size() == 18);
  for (const Row& row : sampled) {
    const SubsampledLaplace event{row.at("q"), row.at("b"), Whole(row, "steps")};
    RequireGolden(PldAlone(event, row.at("delta"), 1e-4), row.at("eps_pld"));
  }
}

TEST_CASE("the PLD of discrete Laplace noise equals Google's", "[dp]") {
  const std::vector<Row> rows = ReadRows("discrete_laplace.csv");
  REQUIRE(rows.size() == 18);
  for (const Row& row : rows) {
    const DiscreteLaplace event{row.at("a"), Whole(row, "sensitivity"), Whole(row, "steps")};
    INFO("a " << row.at("a") << " steps " << row.at("steps"));
    RequireGolden(PldAlone(event, row.at("delta"), 1e-4), row.at("eps_pld"));
  }
}

TEST_CASE("the PLD of discrete Gaussian noise equals Google's", "[dp]") {
  const std::vector<Row> rows = ReadRows("discrete_gaussian.csv");
  REQUIRE(rows.size() == 35);
  for (const Row& row : rows) {
    const DiscreteGaussian event{row.at("sigma"), row.at("sensitivity"), 1, Whole(row, "steps")};
    INFO("sigma " << row.at("sigma") << " steps " << row.at("steps"));
    // The losses of this sigma are whole, on every grid; on the finest the sum has no room.
    const double interval = row.at("sigma") == 1 && row.at("steps") == 100 ? 1e-3 : 1e-4;
    RequireGolden(PldAlone(event, row.at("delta"), interval), row.at("eps_pld"));
    const std::vector<Event> events = {event};
    REQUIRE(SpentEpsilon(events, row.at("delta"))->epsilon ==
            Approx(row.at("eps_zcdp_conversion")).epsilon(1e-9));
  }
}

TEST_CASE("histories of different mechanisms equal Google's", "[dp]") {
  const std::vector<Row> rows = ReadRows("heterogeneous.csv");
  REQUIRE(rows.size() == 3);
  // The rows' first column, in words.
  const std::vector<std::vector<Event>> histories = {
      {SubsampledGaussian{0.01, 1.0, 500}, SubsampledGaussian{0.02, 1.5, 300}},
      {SubsampledGaussian{0.1, 4, 100}, SubsampledGaussian{1, 10, 20}},
      {SubsampledGaussian{0.05, 1.1, 1000}, SubsampledLaplace{1, 20, 10}}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double delta = rows[i].at("delta");
    RequireGolden(SpentEpsilonByPld(histories[i], delta)->epsilon, rows[i].at("eps_pld"));
    const double renyi = SpentEpsilon(histories[i], delta)->epsilon;
    REQUIRE(renyi <= rows[i].at("eps_rdp") + 1e-9);
    REQUIRE(renyi >= rows[i].at("eps_pld"));
  }
}

}  // namespace
}  // namespace tutti::dp

#include "common/dp/calibration.h"

#include <cmath>
#include <vector>

#include "common/dp/pld.h"
#include "tests/catch.h"
#include "tests/unit/dp/vectors.h"

namespace tutti::dp {
namespace {

double Cost(double rate, double noise, std::uint64_t steps, double delta) {
  const SubsampledGaussian event{rate, noise, steps};
  return SpentEpsilon({&event, 1}, delta)->epsilon;
}

TEST_CASE("calibrated noise lies between the tight bound and Google's RDP", "[dp]") {
  const std::vector<testing::Row> rows = testing::ReadRows("calibration.csv");
  REQUIRE(rows.size() == 30);
  for (const testing::Row& row : rows) {
    const auto steps = static_cast<std::uint64_t>(row.at("steps"));
    const Budget target{row.at("target_eps"), row.at("delta")};
    const StatusOr<double> noise = CalibrateNoise(target, row.at("q"), steps);
    REQUIRE(noise.ok());
    REQUIRE(*noise <= row.at("sigma_rdp") + kNoiseGrid);
    REQUIRE(*noise >= row.at("sigma_pld") - kNoiseGrid);
    REQUIRE(Cost(row.at("q"), *noise, steps, target.delta) <= target.epsilon);
    REQUIRE(Cost(row.at("q"), *noise - kNoiseGrid, steps, target.delta) > target.epsilon);
  }
}

TEST_CASE("a target no amount of noise meets is out of range", "[dp]") {
  // The conversion from Renyi orders up to 1024 ends near epsilon 0.0035 at delta 1e-5, whatever
  // the noise.
  REQUIRE(CalibrateNoise({0.001, 1e-5}, 0.01, 100).status().code() == StatusCode::kOutOfRange);
  REQUIRE(CalibrateNoise({0.01, 1e-5}, 0.01, 100).ok());
}

TEST_CASE("calibration refuses values that mean nothing", "[dp]") {
  REQUIRE(CalibrateNoise({0, 1e-5}, 0.01, 100).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateNoise({INFINITY, 1e-5}, 0.01, 100).status().code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(CalibrateNoise({1, 0}, 0.01, 100).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateNoise({1, 1e-5}, 0, 100).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateNoise({1, 1e-5}, 1.5, 100).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateNoise({1, 1e-5}, 0.01, 0).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("noise calibrated for a job allows exactly its steps", "[dp]") {
  const Budget target{3, 1e-5};
  const double noise = *CalibrateNoise(target, 0.02, 500);
  const std::vector<SubsampledGaussian> done = {{0.02, noise, 200}};
  const std::uint64_t left = *MaxSteps(done, {0.02, noise, 0}, target);
  REQUIRE(left >= 300);
  REQUIRE(left <= 302);
}

TEST_CASE("noise by PLD equals Google's within its tolerance, and fits", "[dp]") {
  // The reference is the upper end of 14 halvings on its own grid, which is coarser where q < 1.
  const std::vector<testing::Row> rows = testing::ReadRows("calibration.csv");
  for (std::size_t i = 0; i < rows.size(); i += 2 * testing::Stride()) {
    const testing::Row& row = rows[i];
    const auto steps = static_cast<std::uint64_t>(row.at("steps"));
    const Budget target{row.at("target_eps"), row.at("delta")};
    const StatusOr<double> noise = CalibrateNoise(target, row.at("q"), steps, Method::kPld);
    INFO("q " << row.at("q") << " steps " << steps << " epsilon " << target.epsilon);
    REQUIRE(noise.ok());
    REQUIRE(*noise <= row.at("sigma_pld") + kNoiseGrid);
    REQUIRE(*noise >= 0.95 * row.at("sigma_pld"));
    const auto on_its_grid = [&](double sigma) {
      const Event event = SubsampledGaussian{row.at("q"), sigma, steps};
      return SpentEpsilonByPld({&event, 1}, target.delta, row.at("pld_interval"))->epsilon;
    };
    REQUIRE(on_its_grid(row.at("sigma_pld")) <= target.epsilon * (1 + 1e-6));
    REQUIRE(on_its_grid(row.at("sigma_pld") * 0.998) > target.epsilon);
    if (row.at("q") == 1) REQUIRE(*noise >= row.at("sigma_exact_gaussian"));
    REQUIRE(*CostOf({row.at("q"), *noise, steps}, target.delta, Method::kPld) <= target.epsilon);
    REQUIRE(*CostOf({row.at("q"), *noise - kNoiseGrid, steps}, target.delta, Method::kPld) >
            target.epsilon);
  }
}

TEST_CASE("steps and sampling rates found fit the target and hardly more would", "[dp]") {
  const Budget target{2, 1e-5};
  for (const Method method : {Method::kRdp, Method::kPld}) {
    const std::uint64_t steps = *CalibrateSteps(target, 0.02, 1.1, method);
    REQUIRE(*CostOf({0.02, 1.1, steps}, target.delta, method) <= target.epsilon);
    REQUIRE(*CostOf({0.02, 1.1, steps + 1}, target.delta, method) > target.epsilon);
    const double rate = *CalibrateSamplingRate(target, 1.1, 500, method);
    REQUIRE(*CostOf({rate, 1.1, 500}, target.delta, method) <= target.epsilon);
    REQUIRE(*CostOf({rate * 1.0001, 1.1, 500}, target.delta, method) > target.epsilon);
  }
  REQUIRE(*CalibrateSteps(target, 0.02, 1.1, Method::kPld) >
          *CalibrateSteps(target, 0.02, 1.1, Method::kRdp));
  REQUIRE(*CalibrateSteps(target, 1, 0.1, Method::kPld) == 0);
  REQUIRE(*CalibrateSteps({10, 1e-5}, 1e-9, 50, Method::kPld) == kMaxCalibratedSteps);
  REQUIRE(*CalibrateSamplingRate({10, 1e-5}, 50, 10) == 1);
}

TEST_CASE("searches refuse values that mean nothing, and targets out of reach", "[dp]") {
  REQUIRE(CalibrateSteps({0, 1e-5}, 0.1, 1).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateSteps({1, 1e-5}, 2, 1).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateSteps({1, 1e-5}, 0.1, -1).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateSamplingRate({1, 2}, 1, 10).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateSamplingRate({1, 1e-5}, 1, 0).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(CalibrateSamplingRate({0.01, 1e-5}, 0, 10).status().code() == StatusCode::kOutOfRange);
  REQUIRE(CalibrateNoise({1, 1e-5}, 1.5, 100, Method::kPld).status().code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(CalibrateNoise({1e-9, 1e-9}, 1, 1000000, Method::kPld).status().code() ==
          StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace tutti::dp

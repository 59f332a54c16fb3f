#include "common/dp/calibration.h"

#include <cmath>
#include <vector>

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

}  // namespace
}  // namespace tutti::dp

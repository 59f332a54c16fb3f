#include "common/dp/gaussian.h"

#include <cmath>

#include "tests/catch.h"
#include "tests/unit/dp/vectors.h"

namespace tutti::dp {
namespace {

TEST_CASE("the analytic Gaussian equals the reference", "[dp]") {
  const auto rows = testing::ReadRows("gaussian.csv");
  REQUIRE(rows.size() == 41);
  for (const auto& row : rows) {
    const double sigma = row.at("sigma") / std::sqrt(row.at("steps"));
    const double epsilon = EpsilonOfGaussian(sigma, row.at("delta"));
    REQUIRE(epsilon == Approx(row.at("eps_exact_analytic")).epsilon(1e-9));
    REQUIRE(DeltaOfGaussian(sigma, epsilon) <= row.at("delta"));
    REQUIRE(DeltaOfGaussian(sigma, epsilon * (1 - 1e-6)) > row.at("delta"));
  }
}

TEST_CASE("delta is the published formula where doubles can evaluate it", "[dp]") {
  const auto cdf = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  for (const double sigma : {0.5, 1.0, 4.0}) {
    for (const double epsilon : {0.0, 0.1, 1.0, 3.0}) {
      const double delta = cdf(0.5 / sigma - epsilon * sigma) -
                           std::exp(epsilon) * cdf(-0.5 / sigma - epsilon * sigma);
      REQUIRE(DeltaOfGaussian(sigma, epsilon) == Approx(delta).epsilon(1e-9));
    }
  }
}

TEST_CASE("enough noise is epsilon 0, none is infinite, and extremes are numbers", "[dp]") {
  REQUIRE(EpsilonOfGaussian(1e6, 1e-5) == 0);
  REQUIRE(std::isinf(EpsilonOfGaussian(0, 1e-5)));
  double last = 0;
  for (double sigma = 1e6; sigma > 1e-7; sigma /= 3) {
    const double epsilon = EpsilonOfGaussian(sigma, 1e-12);
    REQUIRE(std::isfinite(epsilon));
    REQUIRE(epsilon >= last);
    // Half the squared distance is the mean loss; epsilon is above it for small delta.
    REQUIRE(epsilon >= (sigma < 0.5 ? 0.5 / (sigma * sigma) : 0));
    last = epsilon;
  }
}

}  // namespace
}  // namespace tutti::dp

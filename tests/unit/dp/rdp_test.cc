#include "common/dp/rdp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/rng.h"
#include "tests/catch.h"
#include "tests/unit/dp/vectors.h"

namespace tutti::dp {
namespace {

using testing::ReadRows;
using testing::Row;

// A moment is 1 plus the spend; in doubles that 1 hides spends below a few ulp, which the bound
// then pays for.
double RoundingAt(double order) { return 2e-14 / (order - 1); }

TEST_CASE("the order grid is the documented one, ascending", "[dp]") {
  const auto& orders = Orders();
  REQUIRE(orders.front() == 1.1);
  REQUIRE(orders[98] == 10.9);
  REQUIRE(orders[99] == 11);
  REQUIRE(orders[151] == 63);
  REQUIRE(orders.back() == 1024);
  REQUIRE(std::is_sorted(orders.begin(), orders.end()));
}

TEST_CASE("curves equal numerical quadrature and are never below it", "[dp]") {
  const std::vector<Row> rows = ReadRows("rdp_quadrature.csv");
  REQUIRE(rows.size() == 245);
  for (const Row& row : rows) {
    const double order = row.at("order");
    const double rdp = RdpOfSubsampledGaussian(row.at("q"), row.at("sigma"), order);
    const double exact = row.at("rdp");
    INFO("q " << row.at("q") << " sigma " << row.at("sigma") << " order " << order);
    REQUIRE(rdp >= exact * (1 - 1e-12));
    REQUIRE(rdp <= exact * (1 + 1e-11) + RoundingAt(order));
  }
}

TEST_CASE("curves equal Opacus 1.4 and are never above Google's", "[dp]") {
  const std::vector<Row> rows = ReadRows("rdp_curve.csv");
  REQUIRE(rows.size() == 240);
  for (const Row& row : rows) {
    const double order = row.at("order");
    const double rdp = RdpOfSubsampledGaussian(row.at("q"), row.at("sigma"), order);
    INFO("q " << row.at("q") << " sigma " << row.at("sigma") << " order " << order);
    // Opacus stops its series at terms of e^-30, which shows where the spend itself is that small.
    REQUIRE(std::abs(rdp - row.at("rdp_opacus")) <=
            1e-8 * row.at("rdp_opacus") + std::exp(-30.0) / (order - 1));
    REQUIRE(rdp <= row.at("rdp_google060") * (1 + 1e-9) + RoundingAt(order));
  }
}

TEST_CASE("without sampling the curve is that of the Gaussian mechanism", "[dp]") {
  for (const double sigma : {0.3, 1.0, 17.0}) {
    for (const double order : Orders()) {
      REQUIRE(RdpOfSubsampledGaussian(1, sigma, order) == Approx(order / (2 * sigma * sigma)));
    }
  }
}

TEST_CASE("no noise, or noise too small for a double, is infinite", "[dp]") {
  REQUIRE(std::isinf(RdpOfSubsampledGaussian(0.5, 0, 2)));
  REQUIRE(std::isinf(RdpOfSubsampledGaussian(0.5, 1e-200, 1.5)));
  for (const double rdp : RdpCurveOf(0.01, 0)) REQUIRE(std::isinf(rdp));
}

TEST_CASE("curves are finite, non-negative, convex as moments, and grow with the order", "[dp]") {
  TestRng rng(1);
  for (int world = 0; world < 200; ++world) {
    const double q = std::pow(10, -9 * rng.Unit());
    const double sigma = std::pow(10, 4 * rng.Unit() - 2);
    const RdpCurve curve = RdpCurveOf(q, sigma);
    INFO("q " << q << " sigma " << sigma);
    for (std::size_t i = 0; i < kOrderCount; ++i) {
      REQUIRE(std::isfinite(curve[i]));
      REQUIRE(curve[i] > 0);
      REQUIRE(curve[i] <= Orders()[i] / (2 * sigma * sigma));
      if (i == 0) continue;
      REQUIRE(curve[i] >= curve[i - 1] * (1 - 1e-9) - 4 * RoundingAt(Orders()[i - 1]));
    }
  }
}

TEST_CASE("more noise and rarer sampling never cost more", "[dp]") {
  TestRng rng(2);
  for (int world = 0; world < 100; ++world) {
    const double q = 0.001 + 0.9 * rng.Unit();
    const double sigma = 0.3 + 5 * rng.Unit();
    const RdpCurve base = RdpCurveOf(q, sigma);
    const RdpCurve more_noise = RdpCurveOf(q, sigma * 1.05);
    const RdpCurve rarer = RdpCurveOf(q * 0.95, sigma);
    for (std::size_t i = 0; i < kOrderCount; ++i) {
      REQUIRE(more_noise[i] < base[i]);
      REQUIRE(rarer[i] < base[i]);
    }
  }
}

TEST_CASE("a smaller delta never gives a smaller epsilon", "[dp]") {
  const RdpCurve curve = RdpCurveOf(0.01, 1);
  double last = 0;
  for (double delta = 0.1; delta > 1e-12; delta /= 10) {
    const double epsilon = EpsilonOf(curve, delta).epsilon;
    REQUIRE(epsilon >= last);
    last = epsilon;
  }
}

}  // namespace
}  // namespace tutti::dp

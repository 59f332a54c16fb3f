#include "common/model/update_norm.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/catch.h"

namespace tutti::model {

TEST_CASE("an update longer than the bound is scaled down to it, a shorter one is kept",
          "[model]") {
  std::vector<float> update{3.0F, -4.0F};
  REQUIRE_FALSE(LimitNorm(update, 5.0));
  REQUIRE(update == std::vector<float>{3.0F, -4.0F});
  REQUIRE(LimitNorm(update, 2.5));
  REQUIRE(update == std::vector<float>{1.5F, -2.0F});  // exact in binary
}

TEST_CASE("after scaling the norm passes the bound by rounding at most", "[model]") {
  std::vector<float> update;
  for (int i = 1; i <= 10000; ++i) {
    update.push_back(1.0F / static_cast<float>(i));
  }
  REQUIRE(LimitNorm(update, 0.1));
  REQUIRE(L2Norm(update) <= 0.1 * (1 + 1e-6));
  REQUIRE(L2Norm(update) >= 0.1 * (1 - 1e-6));
}

TEST_CASE("a norm with a value that is not finite is not finite", "[model]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(std::isnan(L2Norm(std::vector<float>{1.0F, nan})));
  REQUIRE(L2Norm({}) < 1e-300);
}

}  // namespace tutti::model

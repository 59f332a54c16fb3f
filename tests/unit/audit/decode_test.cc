#include "tests/bench/audit/decode.h"

#include <cmath>

#include "common/noise/gaussian.h"
#include "tests/catch.h"
#include "tests/seeded_rng.h"

namespace tutti::audit {
namespace {

TEST_CASE("vectors at right angles are found each by itself", "[audit]") {
  const std::vector<float> vectors{2, 0, 0, 0, 1, 0};
  const std::vector<float> sum{3, 5, 7};
  const std::vector<Prior> priors{{0.5, 0.25}, {0.5, 0.25}};
  const std::vector<Decoded> decoded = Decode(vectors, priors, sum, 0.5);
  REQUIRE(decoded[0].amount == Approx(1.5).epsilon(1e-6));
  REQUIRE(decoded[0].variance == Approx(0.25 / 4).epsilon(1e-6));
  REQUIRE(decoded[1].amount == Approx(5).epsilon(1e-6));
  REQUIRE(decoded[1].variance == Approx(0.25).epsilon(1e-6));
}

TEST_CASE("vectors that nearly point the same way are told apart", "[audit]") {
  const std::vector<float> vectors{1, 0, 0.9F, std::sqrt(1 - 0.81F)};
  const std::vector<float> sum{0.9F, std::sqrt(1 - 0.81F)};  // the second alone
  const std::vector<Prior> priors{{0.5, 0.25}, {0.5, 0.25}};
  const std::vector<Decoded> decoded = Decode(vectors, priors, sum, 1e-3);
  REQUIRE(decoded[0].amount == Approx(0).margin(1e-3));
  REQUIRE(decoded[1].amount == Approx(1).margin(1e-3));
}

TEST_CASE("what is known is taken off and of what cannot be seen nothing is said", "[audit]") {
  const std::vector<float> vectors{1, 0, 1, 1, 0, 0};
  const std::vector<float> sum{4, 1};
  const std::vector<Prior> priors{{3, 0}, {0.5, 0.25}, {0.5, 0.25}};
  const std::vector<Decoded> decoded = Decode(vectors, priors, sum, 0.1);
  REQUIRE(decoded[0].amount == 3);
  REQUIRE(decoded[1].amount == Approx(1).epsilon(1e-6));
  REQUIRE(std::isinf(decoded[2].variance));
}

TEST_CASE("the stated variance is that of the errors", "[audit][statistical]") {
  // 5,000 sums: the mean of squared errors has a relative standard deviation of 2 %; six of them.
  SeededSecureRng bits(31);
  noise::Gaussian gaussian(bits);
  const std::vector<float> vectors{1, 0, 0, 0.8F, 0.6F, 0, 0.5F, 0.5F, 0.5F};
  const std::vector<Prior> priors(3, {0.5, 0.25});
  double squares = 0;
  double errors = 0;
  double stated = 0;
  constexpr int kSums = 5'000;
  for (int i = 0; i < kSums; ++i) {
    std::vector<float> sum(3);
    double last = 0;
    for (std::size_t row = 0; row < 3; ++row) {
      last = static_cast<double>(UniformBelow(bits, 2));
      for (std::size_t k = 0; k < 3; ++k) {
        sum[k] += static_cast<float>(last) * vectors[3 * row + k];
      }
    }
    for (float& value : sum) value += static_cast<float>(0.4 * gaussian.Next());
    const Decoded found = Decode(vectors, priors, sum, 0.4)[2];
    squares += std::pow(found.amount - last, 2);
    errors += found.amount - last;
    stated = found.variance;
  }
  REQUIRE(squares / kSums == Approx(stated).epsilon(0.12));
  REQUIRE(errors / kSums == Approx(0).margin(6 * std::sqrt(stated / kSums)));
}

}  // namespace
}  // namespace tutti::audit

#include "client/learner.h"

#include "common/crypto/random.h"
#include "tests/catch.h"

namespace tutti::client {
namespace {

secagg::RoundConfig Round(std::uint32_t weight_bits) {
  secagg::RoundConfig round;
  round.job = "job";
  round.round = 1;
  round.values = 3;
  round.value_bits = 16;
  round.weight_bits = weight_bits;
  round.max_cohort = 4;
  return round;
}

v1::TaskSpec Weighted(const std::string& weighting) {
  v1::TaskSpec task;
  task.mutable_secure_aggregation()->set_weighting(weighting);
  return task;
}

}  // namespace

TEST_CASE("the weight lane holds one, or the examples up to what the round has bits for",
          "[client]") {
  crypto::SystemRng rng;
  const std::vector<float> update{0.5F, -0.5F, 0};
  const auto weight = [&](std::uint32_t bits, const std::string& weighting,
                          std::uint64_t examples) {
    const auto encoded = EncodeForRing(Round(bits), Weighted(weighting), update, examples, rng);
    REQUIRE(encoded.ok());
    REQUIRE(encoded->count() == 4);
    return encoded->extras().back();
  };
  REQUIRE(weight(0, "uniform", 500) == 1);
  REQUIRE(weight(8, "examples", 100) == 100);
  REQUIRE(weight(8, "examples", 500) == 256);
  REQUIRE(weight(8, "examples", 0) == 1);
  REQUIRE(weight(8, "uniform", 500) == 1);
}

}  // namespace tutti::client

#include "server/aggregate/server_optimiser.h"

#include <limits>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace tutti::aggregate {

TEST_CASE("the model moves by learning rate times mean update", "[aggregate]") {
  const std::vector<float> model{1.0F, -2.0F, 0.5F};
  const std::vector<float> mean{0.5F, 0.25F, -1.0F};
  std::vector<float> next(3);
  REQUIRE(ApplyFedAvg(model, mean, 1.0, next).ok());
  REQUIRE(next == std::vector<float>{1.5F, -1.75F, -0.5F});  // all exact in binary
  REQUIRE(ApplyFedAvg(model, mean, 0.5, next).ok());
  REQUIRE(next == std::vector<float>{1.25F, -1.875F, 0.0F});
}

TEST_CASE("an update that makes a value infinite or not a number is refused and names it",
          "[aggregate]") {
  const std::vector<float> model{1.0F, 3e38F, 0.0F};
  const std::vector<float> kept = model;
  std::vector<float> next(3);
  const Status overflow = ApplyFedAvg(model, std::vector<float>{0.0F, 3e38F, 0.0F}, 1.0, next);
  REQUIRE(overflow.code() == StatusCode::kDataLoss);
  REQUIRE(std::string(MessageOf(overflow)).find("value 1 ") != std::string::npos);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(ApplyFedAvg(model, std::vector<float>{0.0F, 0.0F, nan}, 1.0, next).code() ==
          StatusCode::kDataLoss);
  REQUIRE(model == kept);
}

TEST_CASE("sizes that differ and learning rates that are no rates are refused", "[aggregate]") {
  const std::vector<float> model(4, 1.0F);
  std::vector<float> next(4);
  REQUIRE(ApplyFedAvg(model, std::vector<float>(3), 1.0, next).code() ==
          StatusCode::kInvalidArgument);
  std::vector<float> short_next(3);
  REQUIRE(ApplyFedAvg(model, std::vector<float>(4), 1.0, short_next).code() ==
          StatusCode::kInvalidArgument);
  for (const double rate : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::quiet_NaN(), 1e300}) {
    REQUIRE(ApplyFedAvg(model, std::vector<float>(4), rate, next).code() ==
            StatusCode::kInvalidArgument);
  }
}

TEST_CASE("an empty model moves nowhere", "[aggregate]") {
  REQUIRE(ApplyFedAvg({}, {}, 1.0, {}).ok());
}

TEST_CASE("the last value of a long model is checked too", "[aggregate]") {
  std::vector<float> model(1003, 0.0F), mean(1003, 0.125F), next(1003);
  REQUIRE(ApplyFedAvg(model, mean, 2.0, next).ok());
  REQUIRE(next == std::vector<float>(1003, 0.25F));
  mean.back() = std::numeric_limits<float>::infinity();
  REQUIRE(ApplyFedAvg(model, mean, 2.0, next).code() == StatusCode::kDataLoss);
}

TEST_CASE("momentum takes a share of the last step again, as with a velocity kept", "[aggregate]") {
  const std::vector<std::vector<float>> means = {{1, -2}, {0.5F, 1}, {-1, 0}, {2, 2}};
  std::vector<float> velocity(2);
  std::vector<float> expected(2);
  std::vector<float> before(2);
  std::vector<float> model(2);
  for (const std::vector<float>& mean : means) {
    for (std::size_t i = 0; i < 2; ++i) {
      velocity[i] = 0.9F * velocity[i] + mean[i];
      expected[i] += 0.5F * velocity[i];
    }
    std::vector<float> next(2);
    REQUIRE(ApplyFedAvg(model, mean, 0.5, next).ok());
    REQUIRE(AddMomentum(before, model, 0.9, next).ok());
    before = model;
    model = next;
    for (std::size_t i = 0; i < 2; ++i) REQUIRE(model[i] == Approx(expected[i]));
  }
}

TEST_CASE("momentum that is none is refused", "[aggregate]") {
  const std::vector<float> model(2);
  std::vector<float> next(2);
  REQUIRE(AddMomentum(model, model, 0, next).ok());
  REQUIRE_FALSE(AddMomentum(model, model, 1, next).ok());
  REQUIRE_FALSE(AddMomentum(model, std::vector<float>(3), 0.5, next).ok());
}

}  // namespace tutti::aggregate

#include "common/learn/optimiser.h"

#include "tests/catch.h"

namespace tutti::learn {
namespace {

v1::TrainingSpec Spec(const std::string& optimiser, double rate, double momentum = 0,
                      double decay = 0) {
  v1::TrainingSpec spec;
  spec.set_optimiser(optimiser);
  spec.set_learning_rate(rate);
  spec.set_momentum(momentum);
  spec.set_weight_decay(decay);
  return spec;
}

TEST_CASE("plain descent steps against the gradient and the decayed weight", "[optimiser]") {
  auto optimiser = Optimiser::Create(Spec("sgd", 0.5, 0, 0.1), 2);
  REQUIRE(optimiser.ok());
  std::vector<float> weights{1.0F, -2.0F};
  optimiser->Step(std::vector<float>{0.2F, 0.4F}, weights);
  REQUIRE(weights[0] == Approx(1.0 - 0.5 * (0.2 + 0.1)));
  REQUIRE(weights[1] == Approx(-2.0 - 0.5 * (0.4 - 0.2)));
}

TEST_CASE("momentum adds up as computed by hand", "[optimiser]") {
  auto optimiser = Optimiser::Create(Spec("sgd", 0.1, 0.9), 1);
  REQUIRE(optimiser.ok());
  std::vector<float> weights{0.0F};
  // buffers 1, 1.9, 2.71; weights -0.1, -0.29, -0.561
  for (const double expected : {-0.1, -0.29, -0.561}) {
    optimiser->Step(std::vector<float>{1.0F}, weights);
    REQUIRE(static_cast<double>(weights[0]) == Approx(expected));
  }
}

TEST_CASE("Adam steps as computed by hand", "[optimiser]") {
  auto optimiser = Optimiser::Create(Spec("adam", 0.1), 2);
  REQUIRE(optimiser.ok());
  std::vector<float> weights{0.0F, 0.0F};
  optimiser->Step(std::vector<float>{2.0F, -0.5F}, weights);
  // The first step is learning_rate * sign(gradient).
  REQUIRE(weights[0] == Approx(-0.1).epsilon(1e-5));
  REQUIRE(weights[1] == Approx(0.1).epsilon(1e-5));
  optimiser->Step(std::vector<float>{1.0F, 1.0F}, weights);
  // First value: m = 0.28, v = 0.004996; m / 0.19 = 1.473684, v / 0.001999 = 2.499250, step 0.1
  // * 1.473684 / 1.580902.
  REQUIRE(weights[0] == Approx(-0.1 - 0.0932179).epsilon(1e-5));
  // Second: m = 0.055, v = 0.00124975; 0.2894737 / sqrt(0.6251876) = 0.3661055.
  REQUIRE(weights[1] == Approx(0.1 - 0.03661055).epsilon(1e-5));
}

TEST_CASE("settings that make no sense are refused", "[optimiser]") {
  REQUIRE_FALSE(Optimiser::Create(Spec("lion", 0.1), 1).ok());
  REQUIRE_FALSE(Optimiser::Create(Spec("sgd", 0), 1).ok());
  REQUIRE_FALSE(Optimiser::Create(Spec("sgd", 0.1, 1.0), 1).ok());
  REQUIRE_FALSE(Optimiser::Create(Spec("sgd", 0.1, 0, -1), 1).ok());
  REQUIRE_FALSE(Optimiser::Create(Spec("adam", 0.1, 0.9), 1).ok());
}

}  // namespace
}  // namespace tutti::learn

#include "common/learn/weight_average.h"

#include "common/learn/train.h"
#include "tests/catch.h"
#include "tests/unit/learn/seeded_rng.h"

namespace tutti::learn {
namespace {

TEST_CASE("without decay the average is exactly the last weights", "[average]") {
  const std::vector<float> start{1.0F, -3.0F};
  WeightAverage average(0, start);
  average.Add(std::vector<float>{0.1F, 1e-9F});
  REQUIRE(average.values()[0] == 0.1F);
  REQUIRE(average.values()[1] == 1e-9F);
}

TEST_CASE("the average is as computed by hand, and follows quickly in the first steps",
          "[average]") {
  const std::vector<float> start{0.0F};
  WeightAverage average(0.25, start);
  average.Add(std::vector<float>{1.0F});
  REQUIRE(static_cast<double>(average.values()[0]) == Approx(0.9));  // keeps 1 / 10
  average.Add(std::vector<float>{2.0F});
  REQUIRE(static_cast<double>(average.values()[0]) == Approx(0.9 * 2 / 11 + 2.0 * 9 / 11));
  for (int i = 0; i < 50; ++i) {
    average.Add(std::vector<float>{4.0F});
  }
  average.Add(std::vector<float>{0.0F});
  REQUIRE(static_cast<double>(average.values()[0]) == Approx(1.0));  // keeps the decay
}

// One feature and two classes that say the same of every example: the loss's gradient is known.
struct OneWeight {
  v1::ModelSpec model;
  v1::TrainingSpec training;
  v1::PrivacySpec privacy;
  std::vector<float> features = std::vector<float>(10, 1.0F);
  std::vector<std::uint32_t> labels = std::vector<std::uint32_t>(10, 1);
  OneWeight() {
    model.set_architecture("logistic");
    model.add_input_shape(1);
    model.set_classes(2);
    training.set_learning_rate(0.5);
    training.set_batch_size(10);
    training.set_local_steps(4);
    privacy.set_unit("none");
  }
};

TEST_CASE("the update is of the averaged weights, and every step shows them", "[average]") {
  OneWeight world;
  std::vector<std::vector<float>> plain, averaged;
  for (const double decay : {0.0, 0.5}) {
    world.training.set_average_decay(decay);
    std::vector<float> update(4);
    auto rng = SeededRng(1);
    auto& seen = decay == 0 ? plain : averaged;
    const auto result = Train(world.model, world.training, world.privacy,
                              {.features = world.features, .labels = world.labels}, update, rng,
                              [](std::uint64_t, std::uint64_t) {},
                              {.seen = [&](std::uint64_t step, std::span<const float> weights) {
                                REQUIRE(step == seen.size() + 1);
                                seen.emplace_back(weights.begin(), weights.end());
                              }});
    REQUIRE(result.ok());
    REQUIRE(seen.size() == 4);
    REQUIRE(update == seen.back());  // from zero weights
  }
  WeightAverage expected(0.5, std::vector<float>(4));
  for (std::size_t i = 0; i < 4; ++i) {
    expected.Add(plain[i]);
    for (std::size_t k = 0; k < 4; ++k) {
      REQUIRE(static_cast<double>(averaged[i][k]) ==
              Approx(static_cast<double>(expected.values()[k])));
    }
  }
}

TEST_CASE("a decay that never forgets is refused", "[average]") {
  OneWeight world;
  world.training.set_average_decay(1);
  std::vector<float> update(4);
  auto rng = SeededRng(1);
  const auto result = Train(world.model, world.training, world.privacy,
                            {.features = world.features, .labels = world.labels}, update, rng,
                            [](std::uint64_t, std::uint64_t) {});
  REQUIRE(result.status().code() == StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti::learn

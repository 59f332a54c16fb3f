// Book-keeping against single examples, for models of the layers of images and features.
#include "tests/unit/learn/single_examples.h"

#include <limits>

namespace tutti::learn {
namespace {

TEST_CASE("book-keeping equals the loop over examples for linear models", "[clipping]") {
  RequireEqualToLoop(Spec("logistic", {30}, 2));
  RequireEqualToLoop(Spec("logistic", {9, 7}, 10));
}

TEST_CASE("book-keeping equals the loop over examples for multilayer perceptrons", "[clipping]") {
  v1::ModelSpec spec = Spec("mlp", {20}, 5);
  spec.add_hidden(32);
  spec.add_hidden(16);
  RequireEqualToLoop(spec);
  spec.set_activation("tanh");
  RequireEqualToLoop(spec);
}

TEST_CASE("book-keeping equals the loop over examples for lenet5", "[clipping]") {
  v1::ModelSpec spec = Spec("lenet5", {28, 28}, 10);
  RequireEqualToLoop(spec, 12);
  spec.set_activation("tanh");
  RequireEqualToLoop(spec, 12);
  spec.set_normalisation("group");
  RequireEqualToLoop(spec, 12);
}

TEST_CASE("book-keeping equals the loop over examples with strides, padding, pools and norms",
          "[clipping]") {
  v1::ModelSpec spec = Spec("layers", {3, 13, 11}, 4);
  Add(spec, "conv2d", 8, 3, 2, 1);
  Add(spec, "layer_norm");
  Add(spec, "relu");
  Add(spec, "conv2d", 12, 3, 1, 1);
  Add(spec, "group_norm").set_groups(3);
  Add(spec, "tanh");
  Add(spec, "avg_pool2d", 0, 2);
  Add(spec, "conv2d", 64,
      2);  // few positions, many weights: the norm without per-example gradients
  Add(spec, "max_pool2d", 0, 2, 1, 1);
  Add(spec, "flatten");
  Add(spec, "layer_norm");
  Add(spec, "linear", 4);
  RequireEqualToLoop(spec);
}

TEST_CASE("book-keeping equals the loop over examples for the networks of the benchmark jobs",
          "[clipping]") {
  v1::ModelSpec spec = Spec("layers", {28, 28}, 10);
  Add(spec, "conv2d", 16, 8, 2, 2);
  Add(spec, "tanh");
  Add(spec, "max_pool2d", 0, 2, 1);
  Add(spec, "conv2d", 32, 4, 2);
  Add(spec, "tanh");
  Add(spec, "max_pool2d", 0, 2, 1);
  Add(spec, "flatten");
  Add(spec, "linear", 32);
  Add(spec, "tanh");
  Add(spec, "linear", 10);
  REQUIRE(model::LayoutOf(spec)->values == 26'010);
  RequireEqualToLoop(spec, 12);
}

TEST_CASE("book-keeping equals the loop over examples for models on scattering features",
          "[clipping]") {
  v1::ModelSpec linear = Spec("logistic", {28, 28}, 10);
  linear.set_features("scattering");
  RequireEqualToLoop(linear, 12);
  linear.set_feature_groups(27);
  RequireEqualToLoop(linear, 12);
  v1::ModelSpec layers = Spec("layers", {2, 16, 24}, 4);
  layers.set_features("scattering");
  Add(layers, "conv2d", 8, 3, 2, 1);
  Add(layers, "tanh");
  Add(layers, "flatten");
  Add(layers, "linear", 4);
  RequireEqualToLoop(layers, 12);
}

TEST_CASE("an example that is not a number adds nothing and hides no other", "[clipping]") {
  const v1::ModelSpec spec = Spec("lenet5", {28, 28}, 10);
  World world = Make(spec, 6);
  const std::size_t values = world.network.weights().size();
  std::vector<float> expected(values);
  REQUIRE(world.network.AddClippedGradients(world.Rows(0, 2), 0.5, expected).ok());
  REQUIRE(world.network.AddClippedGradients(world.Rows(4, 2), 0.5, expected).ok());
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 3e38F}) {
    world.features[2 * world.width + 100] = bad;
    std::fill_n(world.features.begin() + static_cast<std::ptrdiff_t>(3 * world.width), world.width,
                bad);
    std::vector<float> sum(values);
    const auto loss = world.network.AddClippedGradients(world.Rows(0, 6), 0.5, sum);
    REQUIRE(loss.ok());
    REQUIRE(std::isfinite(loss->loss_sum));
    double difference = 0;
    for (std::size_t k = 0; k < values; ++k) {
      difference = std::max(
          difference, std::abs(static_cast<double>(sum[k]) - static_cast<double>(expected[k])));
    }
    REQUIRE(difference < 1e-6);
  }
  std::fill(world.features.begin(), world.features.end(), std::nanf(""));
  std::vector<float> nothing(values);
  REQUIRE(world.network.AddClippedGradients(world.Rows(0, 6), 0.5, nothing).ok());
  REQUIRE(Norm(nothing) == 0);
}

TEST_CASE("a batch that does not fit the model is refused", "[clipping]") {
  World world = Make(Spec("logistic", {4}, 3), 2);
  std::vector<float> sum(world.network.weights().size());
  REQUIRE_FALSE(
      world.network
          .AddGradients({.features = std::span(world.features).first(7), .labels = world.labels},
                        sum)
          .ok());
  world.labels[1] = 3;
  const auto wrong = world.network.AddClippedGradients(world.Rows(0, 2), 1, sum);
  REQUIRE(MessageOf(wrong.status()) == "a label is 3, expected below model.classes = 3");
}

}  // namespace
}  // namespace tutti::learn

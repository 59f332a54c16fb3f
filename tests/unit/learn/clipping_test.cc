// Book-keeping against the plain definition: one example at a time through ordinary automatic
// differentiation, its norm measured, clipped and added in double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "common/base/rng.h"
#include "common/learn/network.h"
#include "common/model/features.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"

namespace tutti::learn {
namespace {

v1::ModelSpec Spec(const std::string& architecture, std::initializer_list<std::uint32_t> input,
                   std::uint32_t classes) {
  v1::ModelSpec spec;
  spec.set_architecture(architecture);
  for (const std::uint32_t size : input) {
    spec.add_input_shape(size);
  }
  spec.set_classes(classes);
  spec.set_seed(7);
  return spec;
}

v1::LayerSpec& Add(v1::ModelSpec& spec, const std::string& type, std::uint32_t outputs = 0,
                   std::uint32_t kernel = 0, std::uint32_t stride = 0, std::uint32_t padding = 0) {
  v1::LayerSpec& layer = *spec.add_layers();
  layer.set_type(type);
  layer.set_outputs(outputs);
  layer.set_kernel(kernel);
  layer.set_stride(stride);
  layer.set_padding(padding);
  return layer;
}

struct World {
  Network network;
  std::vector<float> features;
  std::vector<std::uint32_t> labels;
  std::size_t width;

  Batch Rows(std::size_t first, std::size_t count) const {
    return {.features = std::span(features).subspan(first * width, count * width),
            .labels = std::span(labels).subspan(first, count)};
  }
};

World Make(const v1::ModelSpec& spec, std::size_t examples) {
  const auto architecture = model::ArchitectureOf(spec);
  REQUIRE(architecture.ok());
  auto network = Network::Create(*architecture);
  REQUIRE(network.ok());
  const auto start = model::InitialWeights(architecture->layout, spec.seed());
  std::copy(start.begin(), start.end(), network->weights().begin());
  World world{.network = *std::move(network), .features = {}, .labels = {}, .width = 1};
  for (const std::uint64_t size : architecture->example) {
    world.width *= size;
  }
  TestRng rng(11);
  for (std::size_t i = 0; i < examples; ++i) {
    // Examples of different size, so that some are clipped and some are not.
    const double scale = 0.2 + 3.0 * rng.Unit();
    for (std::size_t k = 0; k < world.width; ++k) {
      world.features.push_back(static_cast<float>(scale * (2 * rng.Unit() - 1)));
    }
    world.labels.push_back(static_cast<std::uint32_t>(rng.Below(spec.classes())));
  }
  if (model::HasFeatures(spec)) {
    world.features = *model::FeaturesOf(spec, world.features, [](std::uint64_t, std::uint64_t) {});
    world.width = world.features.size() / examples;
  }
  return world;
}

double Norm(std::span<const float> values) {
  return std::sqrt(std::accumulate(values.begin(), values.end(), 0.0, [](double sum, float value) {
    return sum + static_cast<double>(value) * static_cast<double>(value);
  }));
}

// Requires that the clipped sum over `examples` examples equals the loop over single examples.
void RequireEqualToLoop(const v1::ModelSpec& spec, std::size_t examples = 24) {
  World world = Make(spec, examples);
  const std::size_t values = world.network.weights().size();
  std::vector<std::vector<float>> each;
  std::vector<double> norms;
  for (std::size_t i = 0; i < examples; ++i) {
    each.emplace_back(values);
    REQUIRE(world.network.AddGradients(world.Rows(i, 1), each.back()).ok());
    norms.push_back(Norm(each.back()));
  }
  std::vector<double> sorted = norms;
  std::sort(sorted.begin(), sorted.end());
  const double clip = sorted[examples / 2];  // half are clipped
  std::vector<double> expected(values);
  for (std::size_t i = 0; i < examples; ++i) {
    for (std::size_t k = 0; k < values; ++k) {
      expected[k] += static_cast<double>(each[i][k]) * std::min(1.0, clip / norms[i]);
    }
  }
  std::vector<float> sum(values);
  const auto loss = world.network.AddClippedGradients(world.Rows(0, examples), clip, sum);
  REQUIRE(loss.ok());
  REQUIRE(loss->counted == examples);
  double largest = 0, difference = 0;
  for (std::size_t k = 0; k < values; ++k) {
    largest = std::max(largest, std::abs(expected[k]));
    difference = std::max(difference, std::abs(expected[k] - static_cast<double>(sum[k])));
  }
  INFO("largest value " << largest << ", largest difference " << difference);
  REQUIRE(largest > 0);
  REQUIRE(difference < 1e-5 * std::max(1.0, largest));

  // Every parameter gets its own share: none is missing from the norm.
  for (std::size_t i = 0; i < examples; ++i) {
    std::vector<float> single(values);
    REQUIRE(world.network.AddClippedGradients(world.Rows(i, 1), 0.25 * norms[i], single).ok());
    REQUIRE(Norm(single) == Approx(0.25 * norms[i]).epsilon(1e-5));
    REQUIRE(Norm(single) <= 0.25 * norms[i] * (1 + 1e-7));
  }
}

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

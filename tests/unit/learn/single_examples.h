// Clipped sums of per-example gradients against the plain definition: one example at a time through
// ordinary automatic differentiation, its norm measured, clipped and added in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/learn/network.h"
#include "common/model/features.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"

namespace tutti::learn {

inline v1::ModelSpec Spec(const std::string& architecture,
                          std::initializer_list<std::uint32_t> input, std::uint32_t classes) {
  v1::ModelSpec spec;
  spec.set_architecture(architecture);
  for (const std::uint32_t size : input) {
    spec.add_input_shape(size);
  }
  spec.set_classes(classes);
  spec.set_seed(7);
  return spec;
}

inline v1::LayerSpec& Add(v1::ModelSpec& spec, const std::string& type, std::uint32_t outputs = 0,
                          std::uint32_t kernel = 0, std::uint32_t stride = 0,
                          std::uint32_t padding = 0) {
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
  std::vector<std::uint32_t> labels;  // or
  std::vector<float> targets;         // of models that predict a number
  std::size_t width;

  Batch Rows(std::size_t first, std::size_t count) const {
    Batch batch{.features = std::span(features).subspan(first * width, count * width)};
    if (targets.empty()) {
      batch.labels = std::span(labels).subspan(first, count);
    } else {
      batch.targets = std::span(targets).subspan(first, count);
    }
    return batch;
  }
};

// A value of an example: a number between -scale and scale or, of models of text, a token; every
// third one is padding.
inline float Draw(TestRng& rng, double scale, std::uint32_t vocabulary) {
  if (vocabulary == 0) {
    return static_cast<float>(scale * (2 * rng.Unit() - 1));
  }
  return rng.Below(3) == 0 ? 0.0F : static_cast<float>(rng.Below(vocabulary));
}

inline World Make(const v1::ModelSpec& spec, std::size_t examples,
                  Loss loss = Loss::kCrossEntropy) {
  const auto architecture = model::ArchitectureOf(spec);
  REQUIRE(architecture.ok());
  auto network = Network::Create(*architecture);
  REQUIRE(network.ok());
  network->UseLoss(loss);
  const auto start = model::InitialWeights(architecture->layout, spec.seed());
  network->Load(start);
  // The second half of adapters starts at zero, where the first half has no gradient.
  for (float& value : network->weights()) {
    value = spec.adapter_rank() > 0 && value == 0 ? 0.1F : value;
  }
  World world{
      .network = *std::move(network), .features = {}, .labels = {}, .targets = {}, .width = 1};
  for (const std::uint64_t size : architecture->example) {
    world.width *= size;
  }
  TestRng rng(11);
  for (std::size_t i = 0; i < examples; ++i) {
    // Examples of different size, so that some are clipped and some are not.
    const double scale = 0.2 + 3.0 * rng.Unit();
    for (std::size_t k = 0; k < world.width; ++k) {
      world.features.push_back(Draw(rng, scale, architecture->vocabulary));
    }
    if (NeedsTargets(loss)) {
      world.targets.push_back(static_cast<float>(4 * rng.Unit() - 2));
    } else {
      world.labels.push_back(static_cast<std::uint32_t>(rng.Below(spec.classes())));
    }
  }
  if (model::HasFeatures(spec)) {
    world.features = *model::FeaturesOf(spec, world.features, [](std::uint64_t, std::uint64_t) {});
    world.width = world.features.size() / examples;
  }
  return world;
}

inline double Norm(std::span<const float> values) {
  return std::sqrt(std::accumulate(values.begin(), values.end(), 0.0, [](double sum, float value) {
    return sum + static_cast<double>(value) * static_cast<double>(value);
  }));
}

// Requires that the clipped sum over `examples` examples equals the loop over single examples.
inline void RequireEqualToLoop(const v1::ModelSpec& spec, std::size_t examples = 24,
                               Loss loss = Loss::kCrossEntropy) {
  World world = Make(spec, examples, loss);
  const auto method = world.network.GradientMethod();
  INFO(method.status());
  REQUIRE(method.ok());
  REQUIRE(*method == "book-keeping");
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
  const auto done = world.network.AddClippedGradients(world.Rows(0, examples), clip, sum);
  REQUIRE(done.ok());
  REQUIRE(done->counted == examples);
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

}  // namespace tutti::learn

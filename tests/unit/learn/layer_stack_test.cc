// A transformer block against LibTorch's own, which computes the whole block in one call.
// Torch headers come before Catch2's (tests/catch.h).
#include "common/learn/layer_stack.h"

#include <c10/core/GradMode.h>

#include <cmath>

#include "tests/catch.h"

namespace tutti::learn {
namespace {

constexpr std::int64_t kExamples = 3, kChannels = 6, kLength = 5, kHeads = 2;

model::Architecture Blocks(int count) {
  v1::ModelSpec spec;
  spec.set_architecture("layers");
  spec.add_input_shape(kChannels);
  spec.add_input_shape(kLength);
  spec.set_classes(2);
  for (int i = 0; i < count; ++i) {
    v1::LayerSpec& layer = *spec.add_layers();
    layer.set_type("transformer");
    layer.set_heads(kHeads);
  }
  spec.add_layers()->set_type("mean_pool");
  v1::LayerSpec& last = *spec.add_layers();
  last.set_type("linear");
  last.set_outputs(2);
  return model::ArchitectureOf(spec).value();
}

std::vector<at::Tensor> Draw(const model::Layout& layout) {
  std::uint64_t state = 9;
  std::vector<at::Tensor> parameters;
  for (const model::Parameter& parameter : layout.parameters) {
    const std::vector<std::int64_t> shape(parameter.shape.begin(), parameter.shape.end());
    at::Tensor tensor = at::empty(shape, at::kFloat);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      tensor.data_ptr<float>()[i] =
          static_cast<float>(static_cast<double>(state >> 40) * 0x1p-23 - 1);
    }
    parameters.push_back(tensor);
  }
  return parameters;
}

at::Tensor LibTorchBlock(const at::Tensor& x, const std::vector<at::Tensor>& p, std::size_t first) {
  const auto at = [&](std::size_t place) { return p[first + place]; };
  return at::_transformer_encoder_layer_fwd(
      x, kChannels, kHeads, at(0), at(1), at(2), at(3), /*use_gelu=*/false, /*norm_first=*/true,
      model::kNormEpsilon, at(8), at(9), at(10), at(11), at(4), at(5), at(6), at(7));
}

TEST_CASE("transformer blocks compute what LibTorch's do, with sines at the first", "[layers]") {
  const c10::NoGradGuard no_grad;
  const model::Architecture architecture = Blocks(2);
  REQUIRE(architecture.layers[0].adds_positions);
  REQUIRE_FALSE(architecture.layers[1].adds_positions);
  const std::vector<at::Tensor> parameters = Draw(architecture.layout);
  const at::Tensor inputs = Draw({.parameters = {{.name = "x",
                                                  .shape = {kExamples, kChannels, kLength},
                                                  .values = kExamples * kChannels * kLength}},
                                  .values = 0})[0];
  at::Tensor expected = inputs.transpose(1, 2).contiguous();
  for (std::int64_t position = 0; position < kLength; ++position) {
    for (std::int64_t pair = 0; pair < kChannels / 2; ++pair) {
      const double angle = static_cast<double>(position) /
                           std::pow(10000.0, 2.0 * static_cast<double>(pair) / kChannels);
      expected.select(1, position).select(1, 2 * pair).add_(std::sin(angle));
      expected.select(1, position).select(1, 2 * pair + 1).add_(std::cos(angle));
    }
  }
  expected = LibTorchBlock(LibTorchBlock(expected, parameters, 0), parameters, 12);
  expected = at::linear(expected.mean({1}), parameters[24], parameters[25]);
  const at::Tensor found = LayerStack(architecture, parameters).Forward(inputs);
  REQUIRE((found - expected).abs().max().item<double>() < 1e-4);
  REQUIRE(expected.abs().max().item<double>() > 0.1);
}

}  // namespace
}  // namespace tutti::learn

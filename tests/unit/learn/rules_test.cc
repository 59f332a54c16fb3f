// Each rule against single examples: the same norms, the same clipped sum.
// Torch headers come before Catch2's (tests/catch.h).
#include "common/learn/per_example.h"

#include <functional>
#include <vector>

#include "tests/catch.h"

namespace tutti::learn {
namespace {

// Values between -1 and 1 that are the same on every machine.
at::Tensor Draw(at::IntArrayRef shape, double scale = 1) {
  static std::uint64_t state = 9;
  at::Tensor tensor = at::empty(shape, at::kFloat);
  auto* const values = tensor.data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    values[i] = static_cast<float>(scale * (static_cast<double>(state >> 40) * 0x1p-23 - 1));
  }
  return tensor;
}

struct Model {
  std::vector<at::Tensor> parameters;
  Forward forward;

  at::Tensor New(at::IntArrayRef shape) {
    parameters.push_back(Draw(shape, 0.5).set_requires_grad(true));
    return parameters.back();
  }
};

constexpr std::int64_t kExamples = 7;

// Examples of different size, so that some are clipped and some are not.
at::Tensor Inputs(at::IntArrayRef shape) {
  std::vector<std::int64_t> all{kExamples};
  all.insert(all.end(), shape.begin(), shape.end());
  at::Tensor inputs = Draw(all);
  for (std::int64_t i = 0; i < kExamples; ++i) {
    inputs.select(0, i).mul_(0.3 + 0.5 * static_cast<double>(i));
  }
  return inputs;
}

double Largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

void RequireRule(const Model& model, const at::Tensor& inputs) {
  const at::Tensor labels = at::arange(kExamples, at::kLong).remainder(3);
  const auto norms =
      ClipSingleExamples({model.forward, model.parameters, inputs, labels, 1.0})->norms;
  const double clip = std::get<0>(norms.sort()).select(0, kExamples / 2).item<double>();
  const ClipRequest request{model.forward, model.parameters, inputs, labels, clip};
  const StatusOr<ClippedSum> expected = ClipSingleExamples(request);
  const StatusOr<ClippedSum> sum = ClipByBookKeeping(request);
  INFO(sum.status());
  REQUIRE(sum.ok());
  REQUIRE(Largest(sum->norms - expected->norms) < 1e-4 * Largest(expected->norms));
  for (std::size_t i = 0; i < model.parameters.size(); ++i) {
    INFO("parameter " << i);
    REQUIRE(expected->gradients[i].defined());
    REQUIRE(Largest(expected->gradients[i]) > 0);
    REQUIRE(sum->gradients[i].sizes() == model.parameters[i].sizes());
    REQUIRE(Largest(sum->gradients[i] - expected->gradients[i]) <
            1e-4 * Largest(expected->gradients[i]));
  }
  const auto choice = ChooseMethod(request);
  REQUIRE(choice.ok());
  INFO(choice->reason);
  REQUIRE(choice->method == GradientMethod::kBookKeeping);
}

TEST_CASE("rule: linear layers of rows and of sequences", "[rules]") {
  Model model;
  const auto w = model.New({5, 4}), b = model.New({5}), u = model.New({3, 5});
  model.forward = [=](const at::Tensor& x) {
    return at::linear(at::tanh(at::linear(x, w, b)), u).mean({1});
  };
  RequireRule(model, Inputs({6, 4}));  // products of positions
  RequireRule(model, Inputs({2, 4}));  // the other way
  RequireRule(model, Inputs({2, 3, 4}).flatten(1, 2));
  model.forward = [=](const at::Tensor& x) { return at::linear(at::tanh(at::linear(x, w, b)), u); };
  RequireRule(model, Inputs({4}));
}

TEST_CASE("rule: products with a matrix, sums with and factors of a vector", "[rules]") {
  Model model;
  const auto w = model.New({4, 3}), shift = model.New({3}), factor = model.New({4});
  const auto position = model.New({1, 5, 4});
  model.forward = [=](const at::Tensor& x) {
    return (at::matmul(x * factor + position, w) + shift).sum({1});
  };
  RequireRule(model, Inputs({5, 4}));
}

TEST_CASE("rule: convolutions in one, two and three dimensions, with groups", "[rules]") {
  Model one;
  const auto w1 = one.New({6, 2, 3}), b1 = one.New({6}), v1 = one.New({4, 3, 2});
  one.forward = [=](const at::Tensor& x) {
    const std::vector<std::int64_t> none{0}, single{1}, pair{2};
    const at::Tensor h = at::conv1d(x, w1, b1, pair, single, single, 2);
    return at::conv1d(at::relu(h), v1, {}, single, none, pair, 2).sum({2});
  };
  RequireRule(one, Inputs({4, 17}));

  Model two;
  const auto w2 = two.New({6, 2, 3, 2}), b2 = two.New({6}), v2 = two.New({3, 6, 2, 2});
  two.forward = [=](const at::Tensor& x) {
    const at::Tensor h = at::conv2d(x, w2, b2, {2, 1}, {1, 0}, {1, 2}, 2);
    return at::conv2d(at::tanh(h), v2).flatten(2).sum({2});
  };
  RequireRule(two, Inputs({4, 9, 8}));

  Model three;
  const auto w3 = three.New({4, 1, 2, 3, 2}), b3 = three.New({4}), v3 = three.New({3, 4, 1, 1, 1});
  three.forward = [=](const at::Tensor& x) {
    const std::vector<std::int64_t> ones{1, 1, 1};
    const at::Tensor h = at::conv3d(x, w3, b3, {1, 2, 1}, {1, 0, 1}, ones, 2);
    return at::conv3d(at::tanh(h), v3).flatten(2).mean({2});
  };
  RequireRule(three, Inputs({2, 4, 7, 5}));
}

TEST_CASE("rule: transposed convolutions", "[rules]") {
  Model model;
  const auto w = model.New({2, 4, 3, 3}), b = model.New({4}), v = model.New({3, 4, 1, 1});
  model.forward = [=](const at::Tensor& x) {
    const at::Tensor h = at::conv_transpose2d(x, w, b, {2, 2}, {1, 1}, {1, 0});
    return at::conv2d(at::tanh(h), v).flatten(2).sum({2});
  };
  RequireRule(model, Inputs({2, 4, 5}));
  Model line;
  const auto w1 = line.New({2, 3, 3}), b1 = line.New({3});
  line.forward = [=](const at::Tensor& x) {
    return at::tanh(at::conv_transpose1d(x, w1, b1, 2)).sum({2});
  };
  RequireRule(line, Inputs({2, 4}));
}

TEST_CASE("rule: the general convolution that traced models call", "[rules]") {
  Model model;
  const auto w = model.New({3, 2, 3, 3}), b = model.New({3}), v = model.New({3, 3, 2, 2});
  model.forward = [=](const at::Tensor& x) {
    const at::Tensor h = at::_convolution(x, w, b, {2, 2}, {1, 1}, {1, 1}, false, {0, 0}, 1, false,
                                          false, true, true);
    return at::convolution(at::tanh(h), v, {}, {1, 1}, {0, 0}, {1, 1}, true, {0, 0}, 1)
        .flatten(2)
        .sum({2});
  };
  RequireRule(model, Inputs({2, 7, 7}));
}

TEST_CASE("rule: embeddings, of repeated and of ignored words", "[rules]") {
  Model model;
  const auto words = model.New({9, 4}), w = model.New({3, 4});
  const at::Tensor ids = at::arange(kExamples * 6).remainder(7).to(at::kLong).view({kExamples, 6});
  for (const std::int64_t ignored : {-1, 2}) {
    model.forward = [=](const at::Tensor& x) {
      return at::linear(at::tanh(at::embedding(words, x.to(at::kLong), ignored)), w).sum({1});
    };
    RequireRule(model, ids.to(at::kFloat));
  }
}

TEST_CASE("rule: group, layer and instance norms", "[rules]") {
  Model model;
  const auto gw = model.New({4}), gb = model.New({4}), iw = model.New({4}), ib = model.New({4});
  const auto lw = model.New({5}), lb = model.New({5}), ew = model.New({4, 6, 5}),
             eb = model.New({4, 6, 5}), w = model.New({3, 120});
  model.forward = [=](const at::Tensor& x) {
    at::Tensor h = at::group_norm(x, 2, gw, gb, 1e-5);
    h = at::instance_norm(at::tanh(h), iw, ib, {}, {}, true, 0.1, 1e-5, false);
    h = at::layer_norm(at::tanh(h), {5}, lw, lb, 1e-5);        // over a part of the example
    h = at::layer_norm(at::tanh(h), {4, 6, 5}, ew, eb, 1e-5);  // over all of it
    return at::linear(at::flatten(at::tanh(h), 1), w);
  };
  RequireRule(model, Inputs({4, 6, 5}));
}

TEST_CASE("rule: one parameter in several calls", "[rules]") {
  Model model;
  const auto w = model.New({4, 4}), b = model.New({4}), u = model.New({3, 4});
  model.forward = [=](const at::Tensor& x) {
    return at::linear(at::tanh(at::linear(at::tanh(at::linear(x, w, b)), w, b)), u);
  };
  RequireRule(model, Inputs({4}));
  // As matrix of words and as matrix of logits.
  Model tied;
  const auto words = tied.New({3, 4}), bias = tied.New({3});
  tied.forward = [=](const at::Tensor& x) {
    const at::Tensor h = at::tanh(at::embedding(words, x.to(at::kLong))).mean({1});
    return at::linear(h, words, bias);
  };
  RequireRule(tied, at::arange(kExamples * 5).remainder(3).to(at::kFloat).view({kExamples, 5}));
  // A convolution run twice over, and a bias that is also a shift.
  Model twice;
  const auto k = twice.New({2, 2, 3, 3}), shift = twice.New({2}), out = twice.New({3, 2});
  twice.forward = [=](const at::Tensor& x) {
    const at::Tensor h = at::conv2d(at::tanh(at::conv2d(x, k, shift, 1, 1)), k, {}, 1, 1);
    return at::linear(h.mean({2, 3}) + shift, out);
  };
  RequireRule(twice, Inputs({2, 6, 6}));
}

TEST_CASE("rule: lstm and gru, in layers and both directions", "[rules]") {
  for (const bool is_lstm : {true, false}) {
    for (const bool both : {false, true}) {
      Model model;
      const std::int64_t gates = is_lstm ? 20 : 15, directions = both ? 2 : 1;
      std::vector<at::Tensor> cells;
      for (const std::int64_t width : {std::int64_t{3}, 5 * directions}) {
        for (std::int64_t i = 0; i < directions; ++i) {
          cells.push_back(model.New({gates, width}));
          cells.push_back(model.New({gates, 5}));
          cells.push_back(model.New({gates}));
          cells.push_back(model.New({gates}));
        }
      }
      const auto w = model.New({3, 5 * directions});
      model.forward = [=](const at::Tensor& x) {
        const at::Tensor start = at::zeros({2 * directions, x.size(0), 5});
        const at::Tensor h =
            is_lstm
                ? std::get<0>(at::lstm(x, {start, start}, cells, true, 2, 0.0, true, both, true))
                : std::get<0>(at::gru(x, start, cells, true, 2, 0.0, true, both, true));
        return at::linear(h.mean({1}), w);
      };
      RequireRule(model, Inputs({4, 3}));
    }
  }
}

TEST_CASE("rule: attention of several heads", "[rules]") {
  Model model;
  const auto qkv = model.New({24, 8}), b = model.New({24}), out = model.New({8, 8}),
             w = model.New({3, 8});
  model.forward = [=](const at::Tensor& x) {
    const std::int64_t examples = x.size(0), steps = x.size(1);
    const auto heads = [&](const at::Tensor& part) {
      return part.reshape({examples, steps, 2, 4}).transpose(1, 2);
    };
    const auto parts = at::linear(x, qkv, b).chunk(3, -1);
    const at::Tensor scores =
        at::softmax(at::matmul(heads(parts[0]), heads(parts[1]).transpose(2, 3)) / 2.0, -1);
    const at::Tensor mixed =
        at::matmul(scores, heads(parts[2])).transpose(1, 2).reshape({examples, steps, 8});
    return at::linear((x + at::linear(mixed, out)).mean({1}), w);
  };
  RequireRule(model, Inputs({5, 8}));
}

}  // namespace
}  // namespace tutti::learn

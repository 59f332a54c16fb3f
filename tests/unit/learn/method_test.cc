// How the way to per-example gradients is chosen, for models in C++ and in TorchScript.
// Torch headers come before Catch2's (tests/catch.h).
#include "common/learn/per_example.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "tests/catch.h"

namespace tutti::learn {
namespace {

struct Setting {
  at::Tensor x = at::arange(20).view({5, 4}).sin();
  at::Tensor y = at::arange(5, at::kLong).remainder(3);
  at::Tensor w = at::arange(12).view({3, 4}).cos().set_requires_grad(true);
  at::Tensor v = at::arange(9).view({3, 3}).sin().set_requires_grad(true);

  StatusOr<MethodChoice> Choose(const Forward& forward) {
    const std::vector<at::Tensor> parameters{w, v};
    return ChooseMethod({forward, parameters, x, y, 0.5});
  }
  void RequireWay(GradientMethod method, const Forward& forward, const char* reason) {
    const auto choice = Choose(forward);
    INFO(choice.status());
    REQUIRE(choice.ok());
    INFO(choice->reason);
    REQUIRE(choice->method == method);
    REQUIRE(choice->reason.find(reason) != std::string::npos);
  }
  void RequireRefused(const Forward& forward, const char* text) {
    const auto choice = Choose(forward);
    INFO(choice.status());
    REQUIRE(choice.status().code() == StatusCode::kFailedPrecondition);
    REQUIRE(MessageOf(choice.status()).find(text) != std::string::npos);
  }
};

// A TorchScript module with these parameters and this code.
torch::jit::Module Script(const std::vector<std::pair<std::string, at::Tensor>>& parameters,
                          const std::string& code) {
  torch::jit::Module module("model");
  for (const auto& [name, value] : parameters) {
    module.register_parameter(name, value, false);
  }
  module.define(code);
  return module;
}

StatusOr<MethodChoice> ChooseScript(const Setting& s, torch::jit::Module& module) {
  torch::jit::setGraphExecutorOptimize(false);  // else it differentiates behind the calls' back
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : module.parameters()) {
    parameters.push_back(parameter);
  }
  const Forward forward = [&](const at::Tensor& x) { return module.forward({x}).toTensor(); };
  return ChooseMethod({forward, parameters, s.x, s.y, 0.5});
}

TEST_CASE("a model the rules cover is computed by book-keeping", "[method]") {
  Setting s;
  const auto choice =
      s.Choose([&](const at::Tensor& x) { return at::linear(at::relu(at::linear(x, s.w)), s.v); });
  REQUIRE(choice.ok());
  REQUIRE(choice->method == GradientMethod::kBookKeeping);
  REQUIRE(choice->reason.empty());
}

TEST_CASE("a model the rules do not cover is transformed, or computed one example at a time",
          "[method]") {
  Setting s;
  constexpr auto kVmap = GradientMethod::kVmap;
  s.RequireWay(
      kVmap,
      [&](const at::Tensor& x) {
        return at::einsum("bi,oi->bo", {x, s.w});
      },
      "aten::einsum");
  s.RequireWay(
      kVmap, [&](const at::Tensor& x) { return at::linear(at::flip(x, {1}), s.w); }, "aten::flip");
  s.RequireWay(
      kVmap, [&](const at::Tensor& x) { return at::linear(x, s.w * 2); }, "aten::mul");
  // What it does depends on the values: no transformation can follow.
  s.RequireWay(
      GradientMethod::kSingleExamples,
      [&](const at::Tensor& x) {
        const at::Tensor h = at::linear(x, s.w);
        return h.sum().item<double>() > 1e9 ? h * 2 : h;
      },
      "aten::sum");
}

TEST_CASE("a value that is read after it was overwritten is found by comparing", "[method]") {
  Setting s;
  s.RequireWay(
      GradientMethod::kVmap,
      [&](const at::Tensor& x) {
        at::Tensor h = at::linear(x, s.w);
        h.relu_();
        return at::linear(h, s.v);
      },
      "book-keeping does not give");
  // A script reads what the call gives back, which is the new value.
  torch::jit::Module module = Script({{"w", s.w}, {"v", s.v}}, R"(
def forward(self, x):
    return torch.linear(torch.relu_(torch.linear(x, self.w)), self.v)
)");
  const auto choice = ChooseScript(s, module);
  REQUIRE(choice.ok());
  INFO(choice->reason);
  REQUIRE(choice->method == GradientMethod::kBookKeeping);
}

TEST_CASE("a model that mixes examples is refused with what to use instead", "[method]") {
  Setting s;
  s.RequireRefused(
      [&](const at::Tensor& x) {
        return at::linear(at::batch_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false), s.w);
      },
      "use group_norm or layer_norm");
  s.RequireRefused(
      [&](const at::Tensor& x) {
        const at::Tensor h = at::linear(x, s.w);
        return h - h.mean(0, true);
      },
      "depends on the other examples");
  s.RequireRefused([&](const at::Tensor& x) { return at::dropout(at::linear(x, s.w), 0.5, true); },
                   "or on chance");
  s.RequireRefused([&](const at::Tensor& x) { return at::linear(x, s.w).sum({0}, true); },
                   "rows of logits");
}

TEST_CASE("every way gives the definition's sum and leaves out what is not finite", "[method]") {
  Setting s;
  const Forward forward = [&](const at::Tensor& x) { return at::linear(x, s.w); };
  const std::vector<at::Tensor> parameters{s.w, s.v};
  s.x.select(0, 2).fill_(std::numeric_limits<float>::quiet_NaN());
  const auto sum = ClipSingleExamples({forward, parameters, s.x, s.y, 0.1});
  REQUIRE(sum.ok());
  REQUIRE_FALSE(sum->gradients[1].defined());
  REQUIRE_FALSE(std::isfinite(sum->norms.select(0, 2).item<double>()));
  for (const auto method : {GradientMethod::kBookKeeping, GradientMethod::kVmap}) {
    const auto fast = ClipBy(method, {forward, parameters, s.x, s.y, 0.1});
    REQUIRE(fast.ok());
    REQUIRE((sum->gradients[0] - fast->gradients[0]).abs().max().item<double>() < 1e-6);
    REQUIRE_FALSE(std::isfinite(fast->norms.select(0, 2).item<double>()));
  }
}

TEST_CASE("a TorchScript model is computed by the same rules", "[method]") {
  Setting s;
  torch::jit::Module module = Script({{"w", s.w}, {"v", s.v}},
                                     R"(
def forward(self, x):
    h = torch.tanh(torch.linear(x, self.w))
    if h.size(1) > 2:
        h = h + torch.relu(h)
    return torch.linear(h, self.v)
)");
  const auto choice = ChooseScript(s, module);
  INFO(choice.status());
  REQUIRE(choice.ok());
  INFO(choice->reason);
  REQUIRE(choice->method == GradientMethod::kBookKeeping);
}

TEST_CASE("a TorchScript model whose result depends on how many examples there are is refused",
          "[method]") {
  Setting s;
  torch::jit::Module module = Script({{"w", s.w}}, R"(
def forward(self, x):
    return torch.linear(x, self.w) / x.size(0)
)");
  const auto choice = ChooseScript(s, module);
  REQUIRE(choice.status().code() == StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tutti::learn

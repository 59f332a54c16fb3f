// Torch headers come before Catch2's (tests/catch.h).
#include "common/learn/capture.h"
#include "common/learn/book_keeping.h"

#include "tests/catch.h"

namespace tutti::learn {
namespace {

struct Setting {
  at::Tensor x = at::ones({3, 4});
  at::Tensor y = at::zeros({3}, at::kLong);
  at::Tensor w = at::full({4, 4}, 0.1).set_requires_grad(true);
  at::Tensor v = at::full({4, 4}, 0.2).set_requires_grad(true);
  at::Tensor b = at::zeros({4}).set_requires_grad(true);
  at::Tensor scale = at::ones({4}).set_requires_grad(true);

  StatusOr<ClippedSum> Run(const Forward& forward) {
    const std::vector<at::Tensor> parameters{w, v, b, scale};
    return ClipByBookKeeping({forward, parameters, x, y, 1.0});
  }
  // What the tape says of a model it does not cover.
  std::string Refusal(const Forward& forward) {
    const StatusOr<ClippedSum> result = Run(forward);
    INFO(result.status());
    REQUIRE(result.status().code() == StatusCode::kFailedPrecondition);
    return std::string(MessageOf(result.status()));
  }
};

bool Says(const std::string& text, const char* part) { return text.find(part) != text.npos; }

TEST_CASE("a model of covered calls is computed", "[capture]") {
  Setting s;
  const auto result = s.Run(
      [&](const at::Tensor& x) { return at::linear(at::relu(at::linear(x, s.w, s.b)), s.v); });
  REQUIRE(result.ok());
  REQUIRE(result->gradients[0].defined());
  REQUIRE(result->gradients[2].defined());
  REQUIRE_FALSE(result->gradients[3].defined());  // not used: no gradient
}

TEST_CASE("a parameter used outside the rules stops the computation", "[capture]") {
  Setting s;
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) { return at::linear(x, s.w) / s.scale; }),
               "aten::div"));
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) { return at::linear(x, s.w.t()); }), "aten::t"));
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) {
    return at::cat({at::linear(x, s.w), s.v}).narrow(0, 0, 3);
  }),
               "aten::cat"));
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) {
    const at::Tensor both = s.w * s.v;
    return at::linear(x, both);
  }),
               "aten::mul"));
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) {
    return at::linear(x, s.w) + at::linear(s.b.unsqueeze(0), s.v);
  }),
               "aten::unsqueeze"));
}

TEST_CASE("calls that may mix examples stop the computation", "[capture]") {
  Setting s;
  const at::Tensor wide = at::ones({4, 12});
  const auto refused = [&](const char* call, const Forward& forward) {
    const std::string text = s.Refusal(forward);
    INFO(text);
    REQUIRE(Says(text, call));
  };
  const auto h = [&](const at::Tensor& x) { return at::linear(x, s.w); };
  refused("aten::mean", [&](const at::Tensor& x) { return h(x) - h(x).mean(0); });
  refused("aten::mean", [&](const at::Tensor& x) { return h(x) - h(x).mean(); });
  refused("aten::softmax", [&](const at::Tensor& x) { return at::softmax(h(x), 0); });
  refused("aten::batch_norm", [&](const at::Tensor& x) {
    return at::linear(at::batch_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false), s.w);
  });
  refused("aten::flatten",
          [&](const at::Tensor& x) { return at::linear(at::flatten(x, 0).unsqueeze(0), wide); });
  refused("aten::flip", [&](const at::Tensor& x) { return at::flip(h(x), {0}); });
  refused("aten::roll", [&](const at::Tensor& x) { return at::roll(h(x), 1, 0); });
  refused("aten::cumsum", [&](const at::Tensor& x) { return at::cumsum(h(x), 0); });
  refused("aten::transpose", [&](const at::Tensor& x) {
    return at::matmul(at::matmul(h(x), h(x).transpose(0, 1)), h(x));
  });
  refused("aten::add", [&](const at::Tensor& x) {  // [3, 1, 4] + [3, 4] is [3, 3, 4]
    return (h(x).unsqueeze(1) + h(x)).select(1, 0);
  });
  refused("aten::select", [&](const at::Tensor& x) { return h(x) + h(x).select(0, 0); });
}

TEST_CASE("a call that pairs the batch with another order of it stops the computation",
          "[capture]") {
  Setting s;
  s.x = at::ones({4, 4});
  s.y = at::zeros({4}, at::kLong);
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) { return at::linear(x.t(), s.w); }), "aten::t"));
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) { return at::linear(x.transpose(0, 1), s.w); }),
               "aten::transpose"));
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) {
    return at::linear(x.permute({1, 0}), s.w);
  }),
               "aten::permute"));
}

TEST_CASE("a call that overwrites what it was given stops the computation", "[capture]") {
  Setting s;
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) {
    at::Tensor h = at::linear(x, s.w);
    h.zero_();
    return h;
  }),
               "overwrites"));
}

TEST_CASE("nothing is recorded outside a recording", "[capture]") {
  Tape tape;
  const at::Tensor w = at::ones({2, 2});
  { const Recording recording(tape); }
  at::linear(w, w);
  REQUIRE(tape.uses.empty());
  REQUIRE(tape.problem.empty());
}

}  // namespace
}  // namespace tutti::learn

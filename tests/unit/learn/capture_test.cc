// Torch headers come before Catch2's (tests/catch.h).
#include "common/learn/capture.h"
#include "common/learn/book_keeping.h"
#include "common/learn/per_example.h"

#include <limits>

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
  refused("along the dimension of the examples",
          [&](const at::Tensor& x) { return at::linear(at::flatten(x, 0).unsqueeze(0), wide); });
  refused("aten::flip", [&](const at::Tensor& x) { return at::flip(h(x), {0}); });
  refused("aten::roll", [&](const at::Tensor& x) { return at::roll(h(x), 1, 0); });
  refused("aten::cumsum", [&](const at::Tensor& x) { return at::cumsum(h(x), 0); });
  refused("aten::matmul across examples", [&](const at::Tensor& x) {
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
  const auto refused = [&](const char* call, const Forward& forward) {
    const std::string text = s.Refusal(forward);
    INFO(text);
    REQUIRE(Says(text, call));
  };
  const auto along = "a product along the dimension of the examples";
  refused(along, [&](const at::Tensor& x) { return at::linear(x.t(), s.w); });
  refused(along, [&](const at::Tensor& x) { return at::linear(x.transpose(0, 1), s.w); });
  refused(along, [&](const at::Tensor& x) { return at::linear(x.permute({1, 0}), s.w); });
  refused("aten::add of tensors that set examples against each other",
          [&](const at::Tensor& x) { return at::linear(x, s.w) + x.t(); });
  // The loss reads rows.
  refused("a result without one row for each example",
          [&](const at::Tensor& x) { return at::linear(x, s.w).t(); });
}

TEST_CASE("the examples are followed into other dimensions and back", "[capture]") {
  Setting s;
  s.x = at::arange(3 * 5 * 4).view({3, 5, 4}).sin();  // 3 examples of 5 steps of 4 values
  s.y = at::arange(3, at::kLong).remainder(4);
  s.w = at::arange(16).view({4, 4}).cos().set_requires_grad(true);
  s.v = at::arange(16).view({4, 4}).sin().set_requires_grad(true);
  const std::vector<at::Tensor> parameters{s.w, s.v, s.b, s.scale};
  const auto same = [&](const Forward& forward) {
    const StatusOr<ClippedSum> fast = s.Run(forward);
    INFO(fast.status());
    REQUIRE(fast.ok());
    const auto slow = ClipSingleExamples({forward, parameters, s.x, s.y, 1.0});
    REQUIRE((fast->norms - slow->norms).abs().max().item<double>() < 1e-5);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      REQUIRE(fast->gradients[i].defined() == slow->gradients[i].defined());
      if (fast->gradients[i].defined()) {
        REQUIRE((fast->gradients[i] - slow->gradients[i]).abs().max().item<double>() < 1e-5);
      }
    }
  };
  const auto steps_first = [](const at::Tensor& x) { return x.transpose(0, 1); };
  same([&](const at::Tensor& x) {  // steps first all along
    return at::linear(at::tanh(at::linear(steps_first(x), s.w, s.b)), s.v).mean(0);
  });
  same([&](const at::Tensor& x) {  // steps and examples in one dimension, steps outside
    const at::Tensor rows = at::linear(steps_first(x).reshape({-1, 4}), s.w);
    return rows.view({5, -1, 4}).select(0, 4);
  });
  same([&](const at::Tensor& x) {  // examples outside
    return at::linear(x.reshape({-1, 4}), s.w, s.b).view({-1, 5, 4}).sum({1});
  });
  same([&](const at::Tensor& x) {  // two heads inside the examples' dimension, as attention has it
    const at::Tensor q = at::linear(steps_first(x), s.w).view({5, -1, 2}).transpose(0, 1);
    const at::Tensor mixed = at::bmm(at::softmax(at::bmm(q, q.transpose(1, 2)), -1), q);
    return at::linear(mixed.transpose(0, 1).reshape({-1, 4}), s.v).view({5, -1, 4}).mean(0);
  });
  const at::Tensor mask = at::arange(25).view({1, 5, 5}).cos();
  same([&](const at::Tensor& x) {  // a mask that is the same for all
    const at::Tensor q = at::linear(x, s.w);
    return at::bmm(at::softmax(at::baddbmm(mask, q, x.transpose(1, 2)), -1), q).mean(1);
  });
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) {
    const at::Tensor q = at::linear(x, s.w);
    return at::bmm(at::baddbmm(mask.expand({3, 5, 5}), q, x.transpose(1, 2)), q).mean(1);
  }),
               "a mask of its own for each example"));
  same([&](const at::Tensor& x) {  // a constant of its own for each step, a parameter for none
    return at::linear(steps_first(x) * at::arange(5).view({5, 1, 1}), s.w).sum(0) + s.b;
  });
  same([&](const at::Tensor& x) {  // x[:, -1], written as scripts have it
    return at::linear(x.slice(0, 0, std::numeric_limits<std::int64_t>::max()).select(1, -1), s.w);
  });
  const std::string text = s.Refusal([&](const at::Tensor& x) {
    return at::linear(steps_first(x) * at::arange(3).view({3, 1}), s.w).mean(0);
  });
  REQUIRE(Says(text, "set examples against each other"));
  REQUIRE(Says(s.Refusal([&](const at::Tensor& x) {
    return at::linear(steps_first(x).reshape({-1, 4}), s.w).view({-1, 5, 4}).mean(1);
  }),
               "aten::view, which changes the number of examples"));
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

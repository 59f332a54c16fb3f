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
    return ClippedGradientSum(forward, {w, v, b, scale}, x, y, 1.0);
  }
};

std::string Refusal(const StatusOr<ClippedSum>& result) {
  INFO(result.status());
  REQUIRE(result.status().code() == StatusCode::kFailedPrecondition);
  return std::string(MessageOf(result.status()));
}

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
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(x, s.w) * s.scale;
          })).find("aten::mul") != std::string::npos);
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::matmul(x, s.w);
          })).find("aten::matmul") != std::string::npos);
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(x, s.w.t());
          })).find("aten::t") != std::string::npos);
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::cat({at::linear(x, s.w), s.v}).narrow(0, 0, 3);
          })).find("aten::cat") != std::string::npos);
}

TEST_CASE("a parameter that two calls share stops the computation", "[capture]") {
  Setting s;
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(at::linear(x, s.w), s.w);
          })).find("share") != std::string::npos);
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(at::linear(x, s.w, s.b), s.v, s.b);
          })).find("share") != std::string::npos);
}

TEST_CASE("calls that may mix examples stop the computation", "[capture]") {
  Setting s;
  const at::Tensor wide = at::ones({4, 12});
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            const at::Tensor h = at::linear(x, s.w);
            return h - h.mean(0);
          })).find("aten::mean") != std::string::npos);
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(at::batch_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false), s.w);
          })).find("aten::batch_norm") != std::string::npos);
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(at::flatten(x, 0).unsqueeze(0), wide);
          })).find("flatten") != std::string::npos);
}

TEST_CASE("calls with shapes the rules do not cover stop the computation", "[capture]") {
  Setting s;
  s.x = at::ones({3, 2, 4});
  const at::Tensor wide = at::ones({4, 8});
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(x, s.w).select(1, 0);
          })).find("not [examples, features]") != std::string::npos);
  REQUIRE(Refusal(s.Run([&](const at::Tensor& x) {
            return at::linear(at::flatten(at::layer_norm(x, {4}, s.b, s.scale), 1), wide);
          })).find("part of the example") != std::string::npos);
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

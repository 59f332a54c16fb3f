#include "server/aggregate/adaptive.h"

#include <cmath>
#include <limits>

#include "tests/catch.h"

namespace tutti::aggregate {
namespace {

const std::vector<float> kModel{1.0F, -0.5F, 0.0F};
const std::vector<std::vector<float>> kUpdates{
    {0.1F, -0.2F, 0.0F}, {0.05F, 0.3F, 0.01F}, {-0.2F, 0.1F, 0.02F}};

// Algorithm 2 of the paper, written down once more in double.
std::vector<double> Reference(const AdaptiveRule& rule) {
  std::vector<double> x(kModel.begin(), kModel.end()), m(3), v(3, rule.tau * rule.tau);
  for (const std::vector<float>& update : kUpdates) {
    for (std::size_t i = 0; i < 3; ++i) {
      const double d = update[i], square = d * d;
      m[i] = rule.beta1 * m[i] + (1 - rule.beta1) * d;
      if (rule.kind == Adaptive::kAdagrad) v[i] += square;
      if (rule.kind == Adaptive::kAdam) v[i] = rule.beta2 * v[i] + (1 - rule.beta2) * square;
      if (rule.kind == Adaptive::kYogi) {
        v[i] += (1 - rule.beta2) * square * (v[i] > square ? -1 : (v[i] < square ? 1 : 0));
      }
      x[i] += rule.learning_rate * m[i] / (std::sqrt(v[i]) + rule.tau);
    }
  }
  return x;
}

TEST_CASE("adaptive optimisers follow the paper's algorithm", "[aggregate]") {
  for (const Adaptive kind : {Adaptive::kAdagrad, Adaptive::kAdam, Adaptive::kYogi}) {
    const AdaptiveRule rule{kind, 0.1, 0.9, 0.95, 0.01};
    std::vector<float> model = kModel;
    Moments moments;
    for (const std::vector<float>& update : kUpdates) {
      std::vector<float> next(3);
      REQUIRE(ApplyAdaptive(rule, model, update, moments, next).ok());
      model = next;
    }
    const std::vector<double> expected = Reference(rule);
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE(static_cast<double>(model[i]) == Approx(expected[i]).epsilon(1e-5).margin(1e-7));
    }
  }
}

TEST_CASE("after an error the moments are those before", "[aggregate]") {
  const AdaptiveRule rule{Adaptive::kAdam, 0.1, 0.9, 0.95, 0.01};
  Moments moments;
  std::vector<float> next(3);
  REQUIRE(ApplyAdaptive(rule, kModel, kUpdates[0], moments, next).ok());
  const Moments kept = moments;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Status status =
      ApplyAdaptive(rule, kModel, std::vector<float>{0.0F, 0.1F, nan}, moments, next);
  REQUIRE(status.code() == StatusCode::kDataLoss);
  REQUIRE(std::string(MessageOf(status)).find("value 2 ") != std::string::npos);
  REQUIRE(ApplyAdaptive(rule, kModel, std::vector<float>(2), moments, next).code() ==
          StatusCode::kInvalidArgument);
  Moments other{std::vector<float>(2), std::vector<float>(2)};
  REQUIRE(ApplyAdaptive(rule, kModel, kUpdates[0], other, next).code() ==
          StatusCode::kInvalidArgument);
  REQUIRE(moments.mean == kept.mean);
  REQUIRE(moments.square == kept.square);
}

TEST_CASE("rules out of range are refused", "[aggregate]") {
  Moments moments;
  std::vector<float> next(3);
  for (const AdaptiveRule& rule : {AdaptiveRule{Adaptive::kAdam, 0, 0.9, 0.9, 0.1},
                                   AdaptiveRule{Adaptive::kAdam, 1, 1, 0.9, 0.1},
                                   AdaptiveRule{Adaptive::kAdam, 1, 0.9, 1, 0.1},
                                   AdaptiveRule{Adaptive::kAdam, 1, 0.9, 0.9, 0},
                                   AdaptiveRule{Adaptive::kAdam, NAN, 0.9, 0.9, 0.1}}) {
    REQUIRE(ApplyAdaptive(rule, kModel, kUpdates[0], moments, next).code() ==
            StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tutti::aggregate

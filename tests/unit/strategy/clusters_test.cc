#include "common/strategy/clusters.h"

#include <functional>

#include "common/model/architecture.h"
#include "common/strategy/sum_vector.h"
#include "tests/catch.h"

namespace tutti::strategy {
namespace {

v1::TaskSpec Task() {
  v1::TaskSpec task;
  task.mutable_model()->set_architecture("kmeans");
  task.mutable_model()->add_input_shape(2);
  task.mutable_model()->set_classes(3);
  task.set_values(9);
  v1::TrainingSpec& training = *task.mutable_training();
  training.set_loss("distortion");
  training.set_optimiser("sgd");
  training.set_learning_rate(1);
  training.set_local_steps(1);
  training.set_batch_size(100);
  task.mutable_privacy()->set_unit("none");
  task.mutable_secure_aggregation()->set_value_bits(20);
  task.mutable_secure_aggregation()->set_value_clip(1);
  return task;
}

std::string KeysOf(const std::function<void(v1::TaskSpec&)>& change) {
  v1::TaskSpec task = Task();
  change(task);
  std::string keys;
  for (const ClusterProblem& problem : ClusterProblems(task)) {
    keys += keys.empty() ? problem.key : " " + problem.key;
  }
  REQUIRE(CheckStrategy(task).ok() == keys.empty());
  return keys;
}

TEST_CASE("what would make a centre something else than a mean is refused by name", "[clusters]") {
  REQUIRE(KeysOf([](auto&) {}).empty());
  const auto training = [](const std::function<void(v1::TrainingSpec&)>& change) {
    return KeysOf([&](v1::TaskSpec& task) { change(*task.mutable_training()); });
  };
  REQUIRE(training([](auto& t) { t.set_loss("cross_entropy"); }) == "training.loss");
  REQUIRE(training([](auto& t) { t.clear_loss(); }) == "training.loss");
  REQUIRE(training([](auto& t) { t.set_optimiser("adam"); }) == "training.optimiser");
  REQUIRE(training([](auto& t) { t.set_learning_rate(0.5); }) == "training.learning_rate");
  REQUIRE(training([](auto& t) {
            t.set_local_steps(0);
            t.set_local_epochs(1);
          }) == "training.local_steps");
  REQUIRE(training([](auto& t) { t.set_local_steps(2); }) == "training.local_steps");
  REQUIRE(training([](auto& t) { t.set_momentum(0.9); }) == "training.momentum");
  REQUIRE(training([](auto& t) { t.set_weight_decay(0.1); }) == "training.weight_decay");
  REQUIRE(training([](auto& t) { t.set_average_decay(0.9); }) == "training.average_decay");
  REQUIRE(training([](auto& t) { t.set_proximal(0.1); }) == "training.proximal");
  REQUIRE(training([](auto& t) { t.set_fairness_power(1); }) == "training.fairness_power");
  REQUIRE(training([](auto& t) { t.set_agnostic_rate(1); }) == "training.agnostic_rate");
  REQUIRE(training([](auto& t) { t.set_max_staleness(2); }) == "training.max_staleness");
  REQUIRE(training([](auto& t) { t.set_correction("scaffold"); }) == "training.correction");
  REQUIRE(training([](auto& t) { t.set_schedule("cosine"); }) == "training.schedule");
  REQUIRE(KeysOf([](auto& t) { t.mutable_model()->add_frozen("0.shares"); }) == "model.frozen");
  REQUIRE(KeysOf([](auto& t) { t.mutable_model()->add_personal("0.*"); }) == "model.personal");
  REQUIRE(KeysOf([](auto& t) { t.mutable_model()->set_adapter_rank(1); }) == "model.adapter_rank");
  REQUIRE(KeysOf([](auto& t) { t.mutable_privacy()->set_noise("tree"); }) == "privacy.noise");
  REQUIRE(KeysOf([](auto& t) {
            t.mutable_privacy()->set_unit("example");
            t.mutable_privacy()->set_target_quantile(0.5);
          }) == "privacy.target_quantile");
  REQUIRE(KeysOf([](auto& t) { t.mutable_robust()->set_rule("median"); }) == "robust.rule");
  REQUIRE(KeysOf([](auto& t) { t.mutable_secure_aggregation()->set_sampled_fraction(0.5); }) ==
          "secure_aggregation.sampled_fraction");
  REQUIRE(KeysOf([](auto& t) { t.mutable_secure_aggregation()->set_rotate(true); }) ==
          "secure_aggregation.rotate");
  REQUIRE(KeysOf([](auto& t) { t.mutable_adversary()->set_kind("pgd"); }) == "adversary.kind");
  REQUIRE(KeysOf([](auto& t) { t.mutable_fairness()->set_attribute("sex"); }) ==
          "fairness.attribute");
}

TEST_CASE("distortion and centres need each other", "[clusters]") {
  REQUIRE(KeysOf([](auto& task) { task.mutable_model()->set_architecture("logistic"); }) ==
          "training.loss");
  v1::TaskSpec list = Task();
  list.mutable_model()->set_architecture("layers");
  list.mutable_model()->add_layers()->set_type("centres");
  REQUIRE(ClusterProblems(list).empty());
  v1::TaskSpec measured = Task();
  measured.set_kind("evaluate");
  REQUIRE(ClusterProblems(measured).at(0).key == "kind");
}

TEST_CASE("centres move to the mean of their examples, and empty ones stay", "[clusters]") {
  const v1::TaskSpec task = Task();
  const model::Layout layout = model::LayoutOf(task.model()).value();
  std::vector<float> next{1, 1, 0, 0, -2, 5, 0.9F, 0.1F, 0};
  // Of four examples: (1, 2), (3, 2) and (2, 2) at the first centre, (0, 4) at the second.
  const std::vector<float> update{(0 + 2 + 1) / 4.0F, 3 / 4.0F, 0, 1, 0, 0, 0.75F, 0.25F, 0};
  REQUIRE(StepCentres(task, layout, update, next).ok());
  REQUIRE(next == std::vector<float>{2, 2, 0, 4, -2, 5, 0.75F, 0.25F, 0});
}

TEST_CASE("what rounding or noise leaves of an empty cluster moves no centre", "[clusters]") {
  v1::TaskSpec task = Task();
  const double step = 1.0 / ((1 << 19) - 1);
  REQUIRE(LeastShare(task, 0.3) == Approx(8 * step));
  const model::Layout layout = model::LayoutOf(task.model()).value();
  const std::vector<float> start{1, 1, 0, 0, -2, 5, 0, 0, 0};
  const auto moved = [&](float share) {
    std::vector<float> next = start;
    const std::vector<float> update{0, 0, 0, 0, 1e-3F, 0, 0.6F, 0.3F, share};
    REQUIRE(StepCentres(task, layout, update, next).ok());
    if (task.privacy().unit() == "none") REQUIRE(next[8] == share);
    return next[4] != start[4];
  };
  REQUIRE_FALSE(moved(static_cast<float>(7 * step)));
  REQUIRE_FALSE(moved(-0.2F));
  REQUIRE(moved(static_cast<float>(9 * step)));
  task.mutable_privacy()->set_unit("example");
  REQUIRE(LeastShare(task, 0.3) == Approx(0.03));
  REQUIRE_FALSE(moved(0.029F));
  REQUIRE_FALSE(moved(-0.2F));
  REQUIRE(moved(0.04F));
}

TEST_CASE("with privacy shares are told as parts of their sum", "[clusters]") {
  v1::TaskSpec task = Task();
  task.mutable_privacy()->set_unit("client");
  const model::Layout layout = model::LayoutOf(task.model()).value();
  std::vector<float> next(9);
  // In whatever unit: clipped, or in that of noisy sums.
  const std::vector<float> update{3e-6F, 0, 0, -1e-6F, 9, 9, 3e-6F, 1e-6F, -2e-8F};
  REQUIRE(StepCentres(task, layout, update, next).ok());
  REQUIRE(next == std::vector<float>{1, 0, 0, -1, 0, 0, 0.75F, 0.25F, 0});
  const std::vector<float> nothing{1, 1, 1, 1, 1, 1, -1, -1, 0};
  REQUIRE(StepCentres(task, layout, nothing, next).ok());
  REQUIRE(next == std::vector<float>{1, 0, 0, -1, 0, 0, 0, 0, 0});
}

TEST_CASE("a layout that is not one of centres is refused", "[clusters]") {
  v1::TaskSpec task = Task();
  std::vector<float> values(9);
  model::Layout layout = model::LayoutOf(task.model()).value();
  REQUIRE(StepCentres(task, layout, std::span(values).first(8), values).code() ==
          StatusCode::kInvalidArgument);
  layout.parameters.pop_back();
  REQUIRE(StepCentres(task, layout, values, values).code() == StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti::strategy

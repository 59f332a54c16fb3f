#include "client/update/strategy_state.h"

#include <cmath>

#include "tests/catch.h"

namespace tutti::update {
namespace {

v1::TaskSpec Task(const std::string& correction) {
  v1::TaskSpec task;
  task.set_job("digits");
  task.set_values(2);
  task.mutable_training()->set_learning_rate(0.5);
  task.mutable_training()->set_correction(correction);
  return task;
}

model::Layout Layout() {
  model::Layout layout;
  layout.parameters = {{"0.weight", {2}, 0, 2, 1, model::Start::kUniform}};
  layout.values = 2;
  return layout;
}

using Values = std::vector<float>;

TEST_CASE("scaffold's trainer is given c - c_i, and the next c_i is kept", "[update]") {
  const v1::TaskSpec task = Task("scaffold");
  const Values update{0.5F, -1};
  const StrategyState first(task, Layout(), {1, 2, 0.5F, 0.25F}, {});
  REQUIRE(Values(first.weights().begin(), first.weights().end()) == Values{1, 2});
  REQUIRE(first.extra() == Values{0.5F, 0.25F});  // no c_i yet
  const strategy::LocalResult local = first.Local(update, 2, 0);
  REQUIRE(strategy::MakeSumVector(task, local)->size() == 4);
  const Values kept = first.Keep(task, local, update, first.extra());
  REQUIRE(kept == Values{-0.5F - 0.5F, -0.25F + 1});
  const StrategyState second(task, Layout(), {1, 2, 0.5F, 0.25F}, kept);
  REQUIRE(second.extra() == Values{0.5F + 1, 0.25F - 0.75F});
}

TEST_CASE("a personal model starts from the common one and then goes its own way", "[update]") {
  const v1::TaskSpec task = Task("ditto");
  const StrategyState first(task, Layout(), {1, 2}, {});
  REQUIRE(first.extra() == Values{1, 2});
  const Values update{0.5F, 1};
  REQUIRE(first.Keep(task, first.Local(update, 2, 0), update, {7, 8}) == Values{7, 8});
  REQUIRE(StrategyState(task, Layout(), {3, 4}, {7, 8}).extra() == Values{7, 8});
  // It is nothing that enters the sum.
  REQUIRE(*strategy::MakeSumVector(task, first.Local(update, 2, 0)) == update);
}

TEST_CASE("without a strategy nothing is taken along or kept", "[update]") {
  const StrategyState state(Task("none"), Layout(), {1, 2}, {});
  const Values update{0, 0};
  REQUIRE(state.extra().empty());
  REQUIRE(state.Keep(Task("none"), state.Local(update, 1, 0), update, {}).empty());
}

TEST_CASE("personal parameters are this device's, and what it learnt of them is kept", "[update]") {
  v1::TaskSpec task = Task("none");
  task.mutable_model()->add_personal("0.bias");
  task.mutable_privacy()->set_unit("example");
  task.mutable_privacy()->set_noise("local");
  model::Layout layout = Layout();
  layout.parameters.push_back({"0.bias", {1}, 2, 1, 1, model::Start::kUniform});
  layout.parameters.back().part = model::Part::kPersonal;
  layout.values = 3;
  const Values whole{0.5F, 0.25F, 10};
  const StrategyState first(task, layout, {1, 2, 3}, {});
  REQUIRE(first.weights()[2] == 3);  // of the checkpoint
  const Values common = first.Common(whole);
  REQUIRE(common == Values{0.5F, 0.25F});
  REQUIRE(first.Keep(task, first.Local(common, 2, 0), whole, {}) == Values{13});
  const StrategyState second(task, layout, {5, 6, 3}, {13});
  REQUIRE(second.weights()[0] == 5);
  REQUIRE(second.weights()[2] == 13);
  // Under another promise of privacy they do not count: that is another layout.
  const model::Layout kept = KeptLayout(task, layout);
  REQUIRE(kept.values == 1);
  task.mutable_privacy()->set_unit("client");
  REQUIRE(KeptLayout(task, layout) != kept);
}

TEST_CASE("a device's weight in the mixture grows with its loss and is kept", "[update]") {
  v1::TaskSpec task = Task("none");
  task.mutable_training()->set_agnostic_rate(0.5);
  task.mutable_secure_aggregation()->set_value_clip(1);
  const Values update{0.5F, -0.25F};
  REQUIRE(KeptLayout(task, Layout()) == strategy::MixtureLayout());
  const StrategyState first(task, Layout(), {1, 2}, {}, {1, {}});
  REQUIRE(first.extra().empty());  // nothing of it is the trainer's business
  const strategy::LocalResult local = first.Local(update, 1, 1.2);
  REQUIRE(local.log_weight == Approx(0.6));
  const Values vector = strategy::MakeSumVector(task, local).value();
  REQUIRE(vector[0] == Approx(0.5 * std::exp(0.6)));
  REQUIRE(vector.back() == Approx(std::exp(0.6) / strategy::kMostMixtureWeight));
  const Values kept = first.Keep(task, local, update, {});
  // In the next round the mean weight of 1.5 is taken out: it is in the checkpoint.
  const strategy::MixtureRound next{2, strategy::NextGrowth({}, 1.5)};
  const StrategyState second(task, Layout(), {1, 2}, kept, next);
  REQUIRE(second.Local(update, 1, 0.4).log_weight ==
          Approx(0.6 - std::log(1.5) + 0.2 - std::log(1.5)).margin(1e-6));
  // A device that was not in the sum keeps nothing, so it goes on from what it had.
  const StrategyState again(task, Layout(), {1, 2}, {}, next);
  REQUIRE(again.Local(update, 1, 0.4).log_weight == Approx(0.2 - std::log(1.5)));
}

}  // namespace
}  // namespace tutti::update

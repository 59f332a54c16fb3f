#include "client/strategy_state.h"

#include "tests/catch.h"
#include "tests/unit/client/folder.h"

namespace tutti::client {
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

v1::TrainReply Trained(std::uint64_t steps) {
  v1::TrainReply reply;
  reply.set_steps(steps);
  return reply;
}

TEST_CASE("scaffold's trainer is given c - c_i, and the next c_i is kept", "[client]") {
  const TestFolder folder;
  const client_store::JobMemory memory(folder.path(), "ca");
  const v1::TaskSpec task = Task("scaffold");
  const std::vector<float> checkpoint{1, 2, 0.5F, 0.25F}, update{0.5F, -1};
  const StrategyState first = StrategyState::Begin(memory, task, 1, Layout(), checkpoint);
  REQUIRE(std::vector<float>(first.weights().begin(), first.weights().end()) ==
          std::vector<float>{1, 2});
  REQUIRE(first.extra() == std::vector<float>{0.5F, 0.25F});  // no c_i yet
  const auto vector = first.SumVector(task, Trained(2), update);
  REQUIRE(vector.ok());
  REQUIRE(vector->size() == 4);
  const auto keep = first.Keep(task, Trained(2), update, first.extra());
  REQUIRE(keep);
  REQUIRE(keep->values == std::vector<float>{-0.5F - 0.5F, -0.25F + 1});
  REQUIRE(memory.Save(keep->job, keep->kept, keep->layout, keep->values).ok());
  const StrategyState second = StrategyState::Begin(memory, task, 2, Layout(), checkpoint);
  REQUIRE(second.extra() == std::vector<float>{0.5F + 1, 0.25F - 0.75F});
  // The first round of a job submitted anew forgets the old one.
  REQUIRE(StrategyState::Begin(memory, task, 1, Layout(), checkpoint).extra() == first.extra());
}

TEST_CASE("a personal model starts from the common one and then goes its own way", "[client]") {
  const TestFolder folder;
  const client_store::JobMemory memory(folder.path(), "ca");
  const v1::TaskSpec task = Task("ditto");
  const StrategyState first = StrategyState::Begin(memory, task, 1, Layout(), {1, 2});
  REQUIRE(first.extra() == std::vector<float>{1, 2});
  const auto keep = first.Keep(task, Trained(2), std::vector<float>{0, 0}, {7, 8});
  REQUIRE(keep);
  REQUIRE(memory.Save(keep->job, keep->kept, keep->layout, keep->values).ok());
  REQUIRE(StrategyState::Begin(memory, task, 2, Layout(), {3, 4}).extra() ==
          std::vector<float>{7, 8});
  // It is nothing that enters the sum.
  REQUIRE(*first.SumVector(task, Trained(2), std::vector<float>{0.5F, 1}) ==
          std::vector<float>{0.5F, 1});
}

TEST_CASE("without a strategy nothing is taken along or kept", "[client]") {
  const TestFolder folder;
  const client_store::JobMemory memory(folder.path(), "ca");
  const StrategyState state = StrategyState::Begin(memory, Task("none"), 3, Layout(), {1, 2});
  REQUIRE(state.extra().empty());
  REQUIRE_FALSE(state.Keep(Task("none"), Trained(1), std::vector<float>{0, 0}, {}));
}

TEST_CASE("personal parameters are this device's, and what it learnt of them is kept", "[client]") {
  const TestFolder folder;
  const client_store::JobMemory memory(folder.path(), "ca");
  v1::TaskSpec task = Task("none");
  task.mutable_privacy()->set_unit("example");
  task.mutable_privacy()->set_noise("local");
  model::Layout layout = Layout();
  layout.parameters.push_back({"0.bias", {1}, 2, 1, 1, model::Start::kUniform});
  layout.parameters.back().part = model::Part::kPersonal;
  layout.values = 3;
  const std::vector<float> update{0.5F, 0.25F, 10};
  const StrategyState first = StrategyState::Begin(memory, task, 1, layout, {1, 2, 3});
  REQUIRE(first.weights()[2] == 3);  // of the checkpoint
  const auto keep = first.Keep(task, Trained(2), update, {});
  REQUIRE(keep);
  REQUIRE(keep->kept == client_store::Kept::kParameters);
  REQUIRE(keep->values == std::vector<float>{13});
  REQUIRE(memory.Save(keep->job, keep->kept, keep->layout, keep->values).ok());
  const StrategyState second = StrategyState::Begin(memory, task, 2, layout, {5, 6, 3});
  REQUIRE(second.weights()[0] == 5);
  REQUIRE(second.weights()[2] == 13);
  // Under another promise of privacy, or in a job begun anew, they do not count.
  task.mutable_privacy()->set_unit("client");
  REQUIRE(StrategyState::Begin(memory, task, 2, layout, {5, 6, 3}).weights()[2] == 3);
  task.mutable_privacy()->set_unit("example");
  REQUIRE(StrategyState::Begin(memory, task, 1, layout, {5, 6, 3}).weights()[2] == 3);
}

}  // namespace
}  // namespace tutti::client

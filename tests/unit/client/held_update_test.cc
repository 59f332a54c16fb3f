#include "client/held_update.h"

#include <functional>

#include "common/crypto/hash.h"
#include "tests/catch.h"

namespace tutti::client {
namespace {

v1::TaskSpec Task() {
  v1::TaskSpec task;
  task.mutable_training()->set_max_staleness(2);
  task.mutable_training()->set_staleness_power(0.5);
  return task;
}

secagg::RoundConfig Round(std::uint64_t number) {
  secagg::RoundConfig round;
  round.job = "job";
  round.round = number;
  round.task_hash = crypto::Sha256(AsBytes("task"));
  round.model_hash = crypto::Sha256(AsBytes(std::to_string(number)));
  return round;
}

policy::Plan PlanOf(std::uint64_t steps) {
  policy::Plan plan;
  plan.steps = steps;
  plan.event = dp::SubsampledGaussian{0.1, 1, steps};
  plan.model_event = plan.event;
  return plan;
}

LastUpdate Holding(std::uint64_t round) {
  LastUpdate last;
  last.Hold({.round = Round(round),
             .plan = PlanOf(5),
             .clip_norm = 1,
             .trained = {},
             .update = {0.5F, 0.25F},
             .keep = {}});
  return last;
}

}  // namespace

TEST_CASE("nothing is held before a training and after it was sent", "[client][late]") {
  LastUpdate last;
  REQUIRE(last.For(Round(1), Task(), PlanOf(5)) == nullptr);
  last = Holding(1);
  REQUIRE_FALSE(last.empty());
  last.Forget();
  REQUIRE(last.empty());
}

TEST_CASE("an update serves its own round and the next ones until it is too old",
          "[client][late]") {
  LastUpdate last = Holding(4);
  for (const std::uint64_t round : {4U, 5U, 6U}) {
    const HeldUpdate* held = last.For(Round(round), Task(), PlanOf(5));
    REQUIRE(held != nullptr);  // asking does not use it up
    REQUIRE(held->round.round == 4);
    REQUIRE(held->update == std::vector<float>{0.5F, 0.25F});
  }
  REQUIRE(last.For(Round(7), Task(), PlanOf(5)) == nullptr);
  REQUIRE(last.empty());
}

TEST_CASE("an update that no longer fits is forgotten", "[client][late]") {
  using Change = std::function<void(secagg::RoundConfig&, v1::TaskSpec&, policy::Plan&)>;
  const std::vector<Change> changes = {
      [](auto& round, auto&, auto&) { round.job = "other"; },
      [](auto& round, auto&, auto&) { round.task_hash[0] ^= 1U; },
      [](auto& round, auto&, auto&) { round.round = 3; },  // before it was trained
      [](auto& round, auto&, auto&) {                      // its round, with another model
        round.round = 4;
        round.model_hash[0] ^= 1U;
      },
      [](auto&, auto& task, auto&) { task.mutable_training()->set_max_staleness(0); },
      // What the owner allows now costs less than what was trained: the debit would be too small.
      [](auto&, auto&, auto& plan) { plan = PlanOf(4); },
      [](auto&, auto&, auto& plan) {
        plan.event = dp::SubsampledGaussian{0.1, 2, 5};
      }};
  for (const Change& change : changes) {
    LastUpdate last = Holding(4);
    secagg::RoundConfig round = Round(5);
    v1::TaskSpec task = Task();
    policy::Plan plan = PlanOf(5);
    REQUIRE(last.For(round, task, plan) != nullptr);
    change(round, task, plan);
    REQUIRE(last.For(round, task, plan) == nullptr);
    REQUIRE(last.empty());
  }
}

TEST_CASE("at most one update is held: the newest", "[client][late]") {
  LastUpdate last = Holding(4);
  HeldUpdate newer{.round = Round(5),
                   .plan = PlanOf(5),
                   .clip_norm = 1,
                   .trained = {},
                   .update = {9},
                   .keep = {}};
  last.Hold(newer);
  REQUIRE(last.For(Round(6), Task(), PlanOf(5))->round.round == 5);
}

}  // namespace tutti::client

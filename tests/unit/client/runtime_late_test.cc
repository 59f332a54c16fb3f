// Updates that were too late for their round (FedBuff).
#include "tests/unit/client/runtime_world.h"

namespace tutti::client {

using namespace testing;

namespace {

v1::TaskSpec LateTask() {
  v1::TaskSpec task = Task();
  task.mutable_training()->set_max_staleness(2);
  task.mutable_training()->set_staleness_power(1);
  return task;
}

protocol::Closed ClosedFor(const Made& made) {
  return {.session = made.offer.session,
          .outcome = protocol::Outcome::kPublished,
          .reason = "enough others joined",
          .survivors = 3,
          .sum_hash = {},
          .retry = {}};
}

}  // namespace

TEST_CASE("a training that was too late for its round answers a later one, for less",
          "[client][late]") {
  World world;
  const TestFolder folder;
  const std::string gate = folder.path() + "/go";
  Devices devices;
  devices["a"] =
      std::make_unique<Device>("a", world.coordinator, world.authority, "wait-for:" + gate);
  const Made first = MakeOffer(LateTask(), 1);
  world.coordinator.SetModel(first.model);
  Runtime& slow = devices["a"]->runtime();
  slow.Post(first.offer);
  world.coordinator.WaitFetch();
  slow.Post(ClosedFor(first));
  // The next round's offer finds it training still; its model has twice the weights.
  std::vector<float> twice = Weights();
  for (float& weight : twice) weight *= 2;
  const Made second = MakeOffer(LateTask(), 2, 1, twice);
  slow.Post(second.offer);
  std::ofstream(gate).close();
  for (const std::string name : {"b", "c"})
    devices[name] = std::make_unique<Device>(name, world.coordinator, world.authority);
  std::atomic<int> debited{0};
  const secagg::DecodedSum decoded = PlayRound(world, devices, second, debited, 1);
  REQUIRE(slow.counters().late_updates == 1);
  REQUIRE(debited == 3);
  REQUIRE(devices["a"]->Entries() == 1);  // nothing for the round it missed
  const std::vector<float> weights = Weights();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    // The trainer's update is twice the weights it got: half of 2 w late, and twice 4 w.
    REQUIRE(decoded.mean[i] == Approx((1 + 4 + 4) * weights[i] / 3).margin(3e-6));
  }
  Close(devices, second);
  // What was sent is not sent again.
  slow.Post(MakeOffer(LateTask(), 3).offer);
  while (world.coordinator.Wait<protocol::JoinRequest>("a")->session !=
         MakeOffer(LateTask(), 3).offer.session) {
  }
  REQUIRE(slow.counters().late_updates == 1);
}

TEST_CASE("an update that was ready in vain serves the next round, unless the device restarts",
          "[client][late]") {
  for (const bool restart : {false, true}) {
    World world;
    Device device("a", world.coordinator, world.authority);
    const auto join = [&](std::uint64_t round) {
      const Made made = MakeOffer(LateTask(), round);
      world.coordinator.SetModel(made.model);
      device.runtime().Post(made.offer);
      REQUIRE(world.coordinator.Wait<protocol::JoinRequest>("a")->session == made.offer.session);
      device.runtime().Post(ClosedFor(made));
    };
    join(1);
    if (restart) {
      device.Stop();
      device.Start();
    }
    join(2);
    REQUIRE(device.runtime().counters().late_updates == (restart ? 0 : 1));
    // Too late for what was trained for round 1, and not for what was after the restart.
    join(4);
    REQUIRE(device.runtime().counters().late_updates == 1);
    REQUIRE(device.Entries() == 0);
  }
}

TEST_CASE("an offer of another task ends a late training that hangs", "[client][late]") {
  World world;
  Device device("a", world.coordinator, world.authority, "hang-in-training");
  const Made first = MakeOffer(LateTask(), 1);
  world.coordinator.SetModel(first.model);
  device.runtime().Post(first.offer);
  world.coordinator.WaitFetch();
  device.runtime().Post(ClosedFor(first));
  device.runtime().Post(MakeOffer(Task(), 2).offer);  // its training hangs as well
  world.coordinator.WaitFetch(2);
  device.Stop();
  REQUIRE_FALSE(device.fatal());
}

}  // namespace tutti::client

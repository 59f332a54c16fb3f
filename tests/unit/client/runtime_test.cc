#include "tests/unit/client/runtime_world.h"

namespace tutti::client {

using namespace testing;

TEST_CASE("three devices take part in a round and the opened mean is their update", "[client]") {
  World world;
  CoordinatorDouble& coordinator = world.coordinator;
  Devices devices;
  for (const std::string name : {"a", "b", "c"})
    devices[name] = std::make_unique<Device>(name, coordinator, world.authority);
  // The debit must be on disk before the vector leaves.
  std::atomic<int> debited{0};
  const Made made = MakeOffer(Task(), 1);
  const secagg::DecodedSum decoded = PlayRound(world, devices, made, debited);
  REQUIRE(debited == 3);
  REQUIRE(decoded.weight_sum == 3);
  const std::vector<float> weights = Weights();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    // value_clip * 2^-(value_bits - 1) and float rounding, as DecodeSum promises.
    REQUIRE(decoded.mean[i] == Approx(2 * weights[i]).margin(3e-6));
  }
  REQUIRE(devices["a"]->Entries() == 1);
  Close(devices, made);
  // An offer of the answered round is declined: the answer to it proves that Closed was handled,
  // and that the round was written down.
  devices["a"]->runtime().Post(MakeOffer(Task(), 1).offer);
  REQUIRE(coordinator.Wait<protocol::DeclineRequest>("a")->code == "REPLAYED");
  REQUIRE(devices["a"]->runtime().counters().rounds_published == 1);
  devices["a"]->Stop();
  devices["a"]->Start();
  devices["a"]->runtime().Post(MakeOffer(Task(), 1).offer);
  REQUIRE(coordinator.Wait<protocol::DeclineRequest>("a")->code == "REPLAYED");
}

TEST_CASE("personal parameters stay on the device and are trained on from round to round",
          "[client]") {
  World world;
  Devices devices;
  for (const std::string name : {"a", "b", "c"})
    devices[name] = std::make_unique<Device>(name, world.coordinator, world.authority);
  v1::TaskSpec task = Task();
  task.mutable_model()->add_personal("0.bias");
  task.set_values(12);
  const model::Layout layout = model::LayoutOf(task.model()).value();
  std::atomic<int> debited{0};
  const std::vector<float> weights = Weights();
  std::vector<float> kept(weights.end() - 3, weights.end());
  for (const std::uint64_t round : {1U, 2U}) {
    const Made made = MakeOffer(task, round);
    const secagg::DecodedSum decoded = PlayRound(world, devices, made, debited);
    REQUIRE(decoded.mean.size() == 12);  // all that is sent
    for (std::size_t i = 0; i < 12; ++i) {
      REQUIRE(decoded.mean[i] == Approx(2 * weights[i]).margin(3e-6));
    }
    Close(devices, made);
    // The test's trainer learns twice the weights it got: its own in the second round.
    for (float& value : kept) value *= 3;
    for (auto& [name, device] : devices) {
      device->runtime().Post(MakeOffer(task, round).offer);  // its answer proves that Closed was
      REQUIRE(world.coordinator.Wait<protocol::DeclineRequest>(name)->code == "REPLAYED");
      const auto found = device->memory().Load("job", client_store::Kept::kParameters,
                                               update::KeptLayout(task, layout));
      REQUIRE(found.ok());
      for (std::size_t i = 0; i < kept.size(); ++i) {
        REQUIRE(found->at(i) == Approx(kept[i]).epsilon(1e-6));
      }
      device->Stop();  // as after kill -9: all that counts is on disk
      device->Start();
    }
  }
  REQUIRE(debited == 6);
}

TEST_CASE("what the policy forbids is declined with its reason and costs nothing", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority);
  v1::TaskSpec task = Task();
  task.mutable_privacy()->set_unit("none");
  const protocol::DeclineRequest decline = DeclineOf(world, device, "a", task);
  REQUIRE(decline.code == "POLICY");
  REQUIRE(decline.reason.find("allow_without_privacy") != std::string::npos);
  REQUIRE(device.Entries() == 0);
  REQUIRE(device.runtime().counters().refusals.Total() == 1);
  // Nobody had to read the data for it.
  REQUIRE(device.runtime().counters().trainer_starts == 0);
}

TEST_CASE("bytes that are no task are declined", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority);
  Made made = MakeOffer(Task(), 1);
  made.offer.task = ToBytes(AsBytes("\xff\xff\xff"));
  secagg::RoundConfig config = secagg::DecodeRoundConfig(made.offer.config).value();
  config.task_hash = crypto::Sha256(made.offer.task);
  made.offer.config = secagg::Encode(config);
  made.offer.session = secagg::ConfigHash(config);
  device.runtime().Post(made.offer);
  const auto decline = world.coordinator.Wait<protocol::DeclineRequest>("a");
  REQUIRE(decline.has_value());
  REQUIRE(decline->code == "CONFIG_MISMATCH");
  REQUIRE(decline->reason.find("cannot be parsed") != std::string::npos);
}

TEST_CASE("a round above the budget is declined", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority, "ok", 0.01);
  REQUIRE(DeclineOf(world, device, "a", Task()).code == "BUDGET_EXHAUSTED");
  REQUIRE(device.Entries() == 0);
}

TEST_CASE("a trainer that crashes or diverges is a decline, and the daemon lives", "[client]") {
  World world;
  {
    Device device("a", world.coordinator, world.authority, "crash-in-training");
    const protocol::DeclineRequest decline = DeclineOf(world, device, "a", Task());
    REQUIRE(decline.code == "TRAINER_FAILED");
    REQUIRE(decline.reason.find("its log says why") != std::string::npos);
    REQUIRE(device.Entries() == 0);
    device.runtime().Post(MakeOffer(Task(), 2).offer);
    REQUIRE(world.coordinator.Wait<protocol::DeclineRequest>("a")->code == "TRAINER_FAILED");
  }
  Device device("b", world.coordinator, world.authority, "nan");
  REQUIRE(DeclineOf(world, device, "b", Task()).code == "UPDATE_NOT_FINITE");
  REQUIRE(device.Entries() == 0);
}

TEST_CASE("what the trainer says of the data does not reach the coordinator", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority, "error");
  const protocol::DeclineRequest decline = DeclineOf(world, device, "a", Task());
  REQUIRE(decline.code == "DATA");
  REQUIRE(decline.reason.find("row 3") == std::string::npos);
}

TEST_CASE("a model that is not the announced one is declined before training", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority);
  const Made made = MakeOffer(Task(), 1);
  Bytes broken = made.model;
  std::fill(broken.end() - 4, broken.end(), std::uint8_t{0xff});  // a NaN
  world.coordinator.SetModel(broken);
  device.runtime().Post(made.offer);
  REQUIRE(world.coordinator.Wait<protocol::DeclineRequest>("a")->code == "MODEL_MISMATCH");
  protocol::Offer huge = MakeOffer(Task(), 2).offer;
  huge.model_bytes = std::uint64_t{1} << 40;
  device.runtime().Post(huge);
  REQUIRE(world.coordinator.Wait<protocol::DeclineRequest>("a")->reason.find("announced with") !=
          std::string::npos);
}

TEST_CASE("a newer offer ends a training that hangs", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority, "hang-in-training");
  const Made first = MakeOffer(Task(), 1);
  world.coordinator.SetModel(first.model);
  device.runtime().Post(first.offer);
  world.coordinator.WaitFetch();
  v1::TaskSpec forbidden = Task();
  forbidden.mutable_privacy()->set_unit("none");
  const Made second = MakeOffer(forbidden, 2);
  device.runtime().Post(second.offer);
  const auto decline = world.coordinator.Wait<protocol::DeclineRequest>("a");
  REQUIRE(decline->session == second.offer.session);
  REQUIRE(device.runtime().counters().rounds_dropped == 1);
}

TEST_CASE("stopping the daemon ends a training that hangs", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority, "hang-in-training");
  const Made made = MakeOffer(Task(), 1);
  world.coordinator.SetModel(made.model);
  device.runtime().Post(made.offer);
  world.coordinator.WaitFetch();
  device.Stop();
  REQUIRE_FALSE(device.fatal());
}

TEST_CASE("an evaluator measures models and trains none", "[client]") {
  World world;
  Device device("a", world.coordinator, world.authority, "ok", 1000, "evaluator");
  REQUIRE(DeclineOf(world, device, "a", Task()).code == "POLICY");
  const Made made = MakeOffer(Task(), 7);
  device.runtime().Post(protocol::EvaluationOffer{.job = "job",
                                                  .round = 7,
                                                  .task = made.offer.task,
                                                  .model = made.config.model_hash,
                                                  .model_bytes = made.offer.model_bytes});
  const auto report = world.coordinator.Wait<protocol::EvaluationReport>("a");
  REQUIRE(report.has_value());
  REQUIRE(report->round == 7);
  REQUIRE(report->accuracy == 0.5);
}

}  // namespace tutti::client

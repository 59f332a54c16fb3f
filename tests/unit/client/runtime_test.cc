#include "client/runtime.h"

#include <atomic>
#include <fstream>

#include "client/store/job_memory.h"
#include "client/update/strategy_state.h"
#include "common/config/load.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "common/log/log.h"
#include "common/model/architecture.h"
#include "common/model/safetensors.h"
#include "common/platform/clock.h"
#include "common/secagg/accumulator.h"
#include "common/secagg/encoding.h"
#include "common/secagg/server_session.h"
#include "tests/catch.h"
#include "tests/unit/client/certificates.h"
#include "tests/unit/client/coordinator_double.h"
#include "tests/unit/client/folder.h"

namespace tutti::client {
namespace {

v1::TaskSpec Task() {
  v1::TaskSpec task;
  task.set_job("job");
  task.set_rounds(100);
  config::SetDefaults(task);
  task.mutable_model()->set_architecture("logistic");
  task.mutable_model()->add_input_shape(4);
  task.mutable_model()->set_classes(3);
  task.mutable_training()->set_learning_rate(0.1);
  task.mutable_training()->set_batch_size(10);
  task.mutable_training()->set_local_steps(5);
  task.mutable_privacy()->set_noise_multiplier(1);
  task.set_values(15);
  return task;
}

// Weights 0.01, 0.02, ...; the test's trainer answers an update of twice the weights.
std::vector<float> Weights() {
  std::vector<float> weights(15);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.01F * static_cast<float>(i + 1);
  return weights;
}

struct Made {
  secagg::RoundConfig config;
  protocol::Offer offer;
  Bytes model;
};

Made MakeOffer(const v1::TaskSpec& task, std::uint64_t round, std::uint64_t attempt = 1,
               const std::vector<float>& weights = Weights()) {
  Made made;
  const model::Layout layout = model::LayoutOf(task.model()).value();
  made.model = model::WriteSafetensors(layout, weights, {});
  made.offer.task = ToBytes(AsBytes(task.SerializeAsString()));
  made.offer.model_bytes = made.model.size();
  secagg::RoundConfig& config = made.config;
  config.job = task.job();
  config.round = round;
  config.attempt = attempt;
  config.model_hash = crypto::Sha256(made.model);
  config.task_hash = crypto::Sha256(made.offer.task);
  config.values = task.values();
  config.value_bits = task.secure_aggregation().value_bits();
  config.value_clip = task.secure_aggregation().value_clip();
  config.corrupt_fraction = task.secure_aggregation().corrupt_fraction();
  config.dropout_fraction = task.secure_aggregation().dropout_fraction();
  config.privacy_bits = task.secure_aggregation().privacy_bits();
  config.liveness_bits = task.secure_aggregation().liveness_bits();
  config.max_cohort = 10;
  made.offer.config = secagg::Encode(config);
  made.offer.session = secagg::ConfigHash(config);
  return made;
}

// One device with its own folder, keys and runtime.
class Device {
 public:
  Device(const std::string& name, CoordinatorDouble& coordinator, TestAuthority& authority,
         const std::string& behaviour = "ok", double budget = 1000,
         const std::string& role = "trainer")
      : line_(coordinator, name), identity_(authority.Enrol(name, role)) {
    config::SetDefaults(config_);
    config_.set_state_directory(folder_.path());
    config_.set_role(role);
    config_.mutable_data()->set_identity(behaviour);
    config_.mutable_trainer()->set_program(TUTTI_ODD_TRAINER);
    config::SetDefaults(policy_);
    policy_.set_max_epsilon_total(budget);
    Start();
  }
  void Start() {
    auto books = Books::Open({.state_directory = folder_.path(),
                              .coordinator = identity_.ca_fingerprint,
                              .data_identity = config_.data().identity(),
                              .policy = policy_,
                              .policy_hash = {}},
                             clock_);
    REQUIRE(books.ok());
    runtime_.emplace(RuntimeSettings{.config = config_, .policy = policy_, .identity = identity_},
                     *std::move(books), line_, clock_, rng_,
                     [this](const Status&) { fatal_ = true; });
  }
  void Stop() { runtime_.reset(); }
  Runtime& runtime() { return *runtime_; }
  const std::string& folder() const { return folder_.path(); }
  std::size_t Entries() const {
    const auto entries = client_store::ReadLedger(folder_.path());
    return entries.ok() ? entries->size() : 0;
  }
  client_store::JobMemory memory() const { return {folder_.path(), identity_.ca_fingerprint}; }
  bool fatal() const { return fatal_; }

 private:
  TestFolder folder_;
  platform::RealClock clock_;
  crypto::SystemRng rng_;
  CoordinatorDouble::Line line_;
  Identity identity_;
  v1::ClientConfig config_;
  v1::PolicyConfig policy_;
  std::atomic<bool> fatal_{false};
  std::optional<Runtime> runtime_;
};

struct World {
  // Before there are threads; what devices log of their troubles would drown the test's own output.
  World() {
    v1::LogConfig log;
    log.set_level("error");
    REQUIRE(log::Setup(log, "test").ok());
  }
  platform::RealClock clock;
  TestAuthority authority{clock.Wall()};
  CoordinatorDouble coordinator;
};

protocol::DeclineRequest DeclineOf(World& world, Device& device, const std::string& name,
                                   const v1::TaskSpec& task) {
  const Made made = MakeOffer(task, 1);
  world.coordinator.SetModel(made.model);
  device.runtime().Post(made.offer);
  const auto decline = world.coordinator.Wait<protocol::DeclineRequest>(name);
  REQUIRE(decline.has_value());
  REQUIRE(decline->session == made.offer.session);
  return *decline;
}

using Devices = std::map<std::string, std::unique_ptr<Device>>;

// The devices' round up to the opened sum; `debited` counts uploads whose debit was on disk before,
// as the newest of so many `records`; 0: one a round.
secagg::DecodedSum PlayRound(World& world, Devices& devices, const Made& made,
                             std::atomic<int>& debited, std::uint64_t records = 0) {
  CoordinatorDouble& coordinator = world.coordinator;
  coordinator.on_upload = [&](const std::string& name, const protocol::SessionHash& session) {
    const auto entries = client_store::ReadLedger(devices[name]->folder());
    if (entries.ok() && !entries->empty() && entries->back().session() == AsText(session))
      ++debited;
  };
  const protocol::SessionHash hash = made.offer.session;
  coordinator.SetModel(made.model);
  crypto::CachingVerifier verifier(world.authority.ca_pem(), world.clock);
  auto server = secagg::ServerSession::Open(made.config, &verifier).value();

  for (auto& [name, device] : devices) device->runtime().Post(made.offer);
  for (auto& [name, device] : devices) {
    REQUIRE(
        server.AddJoin(ClientId(name), coordinator.Wait<protocol::JoinRequest>(name)->join).ok());
  }
  REQUIRE(server.CloseJoins().ok());
  for (auto& [name, device] : devices) {
    device->runtime().Post(protocol::RosterNotice{hash, server.RosterFor(ClientId(name)).value()});
  }
  for (auto& [name, device] : devices) {
    REQUIRE(server.AddShares(ClientId(name), coordinator.Wait<protocol::ShareRequest>(name)->shares)
                .ok());
  }
  REQUIRE(server.CloseShares().ok());
  for (auto& [name, device] : devices) {
    device->runtime().Post(protocol::BoxesNotice{hash, server.BoxesFor(ClientId(name)).value()});
  }
  secagg::Accumulator sum(made.config.layout());
  for (auto& [name, device] : devices) {
    const auto upload = coordinator.WaitUpload(name);
    REQUIRE(upload.has_value());
    REQUIRE(server.AddMasked(ClientId(name), upload->header.header).ok());
    REQUIRE(sum.Add(upload->vector, 0).ok());
  }
  REQUIRE(server.CloseMasked().ok());
  for (auto& [name, device] : devices) {
    device->runtime().Post(protocol::SurvivorsNotice{hash, server.SurvivorsMessage().value()});
  }
  for (auto& [name, device] : devices) {
    REQUIRE(
        server.AddCommit(ClientId(name), coordinator.Wait<protocol::CommitRequest>(name)->commit)
            .ok());
  }
  REQUIRE(server.CloseCommits().ok());
  for (auto& [name, device] : devices) {
    device->runtime().Post(
        protocol::CertificateNotice{hash, server.CertificateFor(ClientId(name)).value()});
  }
  for (auto& [name, device] : devices) {
    const auto unmask = coordinator.Wait<protocol::UnmaskRequest>(name);
    REQUIRE(server.AddUnmask(ClientId(name), unmask->unmask).ok());
    REQUIRE(unmask->budget.epsilon_spent > 0);
    REQUIRE(unmask->budget.ledger->entries == (records > 0 ? records : made.config.round));
  }
  const auto masks = server.Rebuild();
  REQUIRE(masks.ok());
  REQUIRE(sum.RemoveMasks(*masks, 0, sum.sum().count()).ok());
  auto decoded = secagg::DecodeSum(made.config, sum.sum(), 3);
  REQUIRE(decoded.ok());
  return *std::move(decoded);
}

void Close(Devices& devices, const Made& made) {
  for (auto& [name, device] : devices) {
    device->runtime().Post(protocol::Closed{.session = made.offer.session,
                                            .outcome = protocol::Outcome::kPublished,
                                            .reason = "",
                                            .survivors = 3,
                                            .sum_hash = {},
                                            .retry = {}});
  }
}

}  // namespace

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

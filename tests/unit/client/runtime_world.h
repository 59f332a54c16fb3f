// A coordinator's side of rounds played by the test against real client runtimes, with a stand-in
// for the trainer.
#pragma once

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

namespace tutti::client::testing {

inline v1::TaskSpec Task() {
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
inline std::vector<float> Weights() {
  std::vector<float> weights(15);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.01F * static_cast<float>(i + 1);
  return weights;
}

struct Made {
  secagg::RoundConfig config;
  protocol::Offer offer;
  Bytes model;
};

inline Made MakeOffer(const v1::TaskSpec& task, std::uint64_t round, std::uint64_t attempt = 1,
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

inline protocol::DeclineRequest DeclineOf(World& world, Device& device, const std::string& name,
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
inline secagg::DecodedSum PlayRound(World& world, Devices& devices, const Made& made,
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

inline void Close(Devices& devices, const Made& made) {
  for (auto& [name, device] : devices) {
    device->runtime().Post(protocol::Closed{.session = made.offer.session,
                                            .outcome = protocol::Outcome::kPublished,
                                            .reason = "",
                                            .survivors = 3,
                                            .sum_hash = {},
                                            .retry = {}});
  }
}

}  // namespace tutti::client::testing

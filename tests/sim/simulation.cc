#include "tests/sim/simulation.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "common/crypto/hash.h"
#include "tests/sim/device.h"
#include "tests/sim/oracle.h"
#include "tests/sim/server_node.h"
#include "tests/sim/test_identity.h"

namespace tutti::sim {
namespace {

constexpr Milliseconds kChaos{60'000};
constexpr Milliseconds kUntilDone{
    1'800'000};  // after healing: dozens of attempts with every deadline used up

// Each kind of fault is absent in half of the worlds, so that combinations differ and single faults
// show.
Faults DrawFaults(TestRng& chance) {
  const auto draw = [&](double highest) {
    return chance.Below(2) == 0 ? 0.0 : highest * chance.Unit();
  };
  Faults faults;
  faults.drop = draw(0.2);
  faults.duplicate = draw(0.3);
  faults.stream_break = draw(0.08);
  faults.overtake = draw(0.05);
  faults.upload_break = draw(0.2);
  faults.device_crash = draw(0.03);
  faults.server_crash = draw(0.01);
  faults.slow = draw(0.2);
  faults.refusal = draw(0.04);
  faults.publish_fails = draw(0.2);
  faults.operators = draw(0.2);
  return faults;
}

round::JobSettings DrawJob(TestRng& chance, std::uint32_t devices, const Options& options) {
  round::JobSettings job;
  job.name = JobId("sim");
  job.rounds = options.rounds;
  job.task = ToBytes(AsBytes("a task"));
  secagg::RoundConfig& config = job.config;
  config.job = "sim";
  config.level =
      chance.Below(2) == 0 ? secagg::ThreatLevel::kCurious : secagg::ThreatLevel::kMalicious;
  config.values = 8 + chance.Below(9);
  config.extra_lanes = 1 + static_cast<std::uint32_t>(chance.Below(2));
  config.value_bits = static_cast<std::uint32_t>(8 + chance.Below(23));  // lanes of 16 to 64 bits
  config.weight_bits = chance.Below(2) == 0 ? 0 : 4;
  config.min_cohort = 3;
  config.min_survivors =
      config.level == secagg::ThreatLevel::kCurious && chance.Below(2) == 0 ? 2 : 3;
  config.max_cohort = std::max(devices, 4U);
  config.groups = options.groups;
  job.cohort_size =
      std::max(3 * config.groups, devices - static_cast<std::uint32_t>(chance.Below(3)));
  job.over_selection = 1.0 + 0.5 * chance.Unit();
  job.evaluate_every = static_cast<std::uint32_t>(chance.Below(3));
  job.select = Milliseconds{1500};
  job.train = Milliseconds{2500};
  job.share = Milliseconds{1200};
  job.upload = Milliseconds{2000};
  job.commit = Milliseconds{1200};
  job.unmask = Milliseconds{1200};
  job.retry = Milliseconds{200};
  job.max_failures = 100000;
  if (options.liars > 0) {
    job.max_failures = 40;
  }
  if (options.liars > 1) {
    // That share of the clients, rounded down, is as many, also when one of the others is revoked.
    config.corrupt_fraction = (options.liars + 0.01) / (devices - 1);
  }
  if (config.groups > 1) {
    job.groups_needed = 1 + static_cast<std::uint32_t>(chance.Below(config.groups));
  }
  return job;
}

class Simulation {
 public:
  Simulation(std::uint64_t seed, const Options& options)
      : world_(seed), oracle_(world_), seed_(seed), options_(options) {
    TestRng& chance = world_.chance();
    devices_wanted_ =
        options.devices != 0 ? options.devices : 3 + static_cast<std::uint32_t>(chance.Below(6));
    world_.sabotage = options.sabotage;
    world_.faults = DrawFaults(chance);
    store_.settings = DrawJob(chance, devices_wanted_, options);
    for (std::uint32_t i = 0; i < devices_wanted_; ++i) {
      store_.trainers.insert(ClientId(Join("device", i)));
    }
    store_.model = {crypto::Sha256(AsBytes("first weights")), 64};
  }

  Outcome Run() {
    ServerNode server(world_, oracle_, verifier_, seed_, store_);
    std::vector<std::unique_ptr<Device>> devices;
    for (std::uint32_t i = 0; i < devices_wanted_; ++i) {
      const bool honest = i + options_.liars < devices_wanted_;
      devices.push_back(
          NewDevice(server, Join("device", i), round::Role::kTrainer, honest ? 0 : options_.lies));
    }
    devices.push_back(NewDevice(server, "evaluator", round::Role::kEvaluator));
    for (const auto& device : devices) {
      world_.After(world_.Between(0, 500), [&device] { device->Start(); });
    }
    world_.After(world_.Between(0, 200), [&server] { server.Start(); });
    world_.After(kChaos, [this, &server] { Heal(server); });
    if (devices_wanted_ > 5 && world_.chance().Below(4) == 0) {
      world_.After(world_.Between(500, 10'000), [&] { server.Revoke(devices.front()->name()); });
    }
    Operate(server);
    while (world_.violation().empty() && !IsDone(server)) {
      if (!world_.Step()) {
        world_.Violation("nothing is left to happen and the job is not done");
      } else if (world_.now() > kChaos + kUntilDone) {
        world_.Violation(Join("the job did not end within ", kUntilDone.count(),
                              " ms of a healed world; round ", server.store().rounds_done,
                              " is the last that was published"));
      }
    }
    return Report(server, devices);
  }

 private:
  std::unique_ptr<Device> NewDevice(ServerNode& server, std::string name, round::Role role,
                                    double lies = 0) {
    return std::make_unique<Device>(world_, oracle_, server, verifier_, ClientId(std::move(name)),
                                    role, seed_, lies);
  }

  // The job ended, the store knows it, and whoever evaluates the last model had the chance to say
  // so.
  bool IsDone(const ServerNode& server) const {
    const Store& store = server.store();
    return store.state == round::JobState::kDone && server.up() &&
           store.rounds_done == store.settings.rounds &&
           (store.settings.evaluate_every == 0 || store.evaluations > 0);
  }

  void Heal(ServerNode& server) {
    world_.Trace("the world heals");
    world_.Heal();
    server.Resume();
    world_.After(Milliseconds{5000}, [&server] { server.Resume(); });
  }

  void Operate(ServerNode& server) {
    world_.After(world_.Between(1000, 4000), [this, &server] {
      if (world_.healed()) {
        return;
      }
      if (world_.Happens(world_.faults.operators)) {
        server.Stop();
        world_.After(world_.Between(1, 1500), [&server] { server.Resume(); });
      }
      Operate(server);
    });
  }

  Outcome Report(const ServerNode& server, const std::vector<std::unique_ptr<Device>>& devices) {
    Outcome outcome;
    outcome.violation = world_.violation();
    outcome.setting = Join(
        devices_wanted_, " devices, ",
        store_.settings.config.level == secagg::ThreatLevel::kCurious ? "curious" : "malicious",
        ", cohort ", store_.settings.cohort_size, " in ", store_.settings.config.groups,
        " groups of which ", store_.settings.groups_needed, " are needed");
    outcome.rounds = oracle_.published();
    outcome.attempts = server.attempts();
    outcome.server_crashes = server.crashes();
    outcome.spoiled = server.spoiled();
    const auto& standings = server.store().suspicion.clients;
    outcome.excluded = static_cast<std::uint64_t>(
        std::count_if(standings.begin(), standings.end(),
                      [](const auto& entry) { return !entry.second.excluded.empty(); }));
    for (const auto& device : devices) {
      outcome.device_crashes += device->crashes();
    }
    outcome.trace_hash = world_.trace_hash();
    return outcome;
  }

  World world_;
  Oracle oracle_;
  testing::TestVerifier verifier_;
  std::uint64_t seed_;
  Options options_;
  std::uint32_t devices_wanted_ = 0;
  Store store_;
};

}  // namespace

Outcome RunWorld(std::uint64_t seed, const Options& options) {
  return Simulation(seed, options).Run();
}

}  // namespace tutti::sim

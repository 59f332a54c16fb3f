// The coordinator's shell in the simulated world: a Core that can die at any effect, and a store
// that survives it. Thread safety: confined to one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "common/crypto/random.h"
#include "common/secagg/accumulator.h"
#include "server/round/core.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

namespace tutti::sim {

// What a real coordinator has on disk.
struct Store {
  round::JobSettings settings;
  std::uint64_t rounds_done = 0;
  std::uint64_t last_attempt = 0;  // of round rounds_done + 1
  round::ModelRef model;
  round::JobState state = round::JobState::kWaiting;
  std::uint64_t failures = 0;
  std::uint64_t evaluations = 0;
  cohort::SuspicionRecord suspicion;
  std::set<ClientId> trainers;  // enrolled
};

class ServerNode final : public Coordinator {
 public:
  ServerNode(World& world, Oracle& oracle, crypto::PeerVerifier& verifier, std::uint64_t seed,
             Store store);

  void Start();
  bool up() const override { return core_ != nullptr; }
  void Attach(const ClientId& client, round::Role role, const protocol::BudgetReport& budget,
              NoticeSink notices, BrokenSink broken) override;
  void Request(const ClientId& client, const protocol::Request& request, ReplySink reply) override;
  void Upload(const ClientId& client, const protocol::UploadHeader& header, Bytes vector,
              std::function<bool()> alive, ReplySink reply) override;
  void Revoke(const ClientId& client);
  void Stop();
  void Resume();

  const Store& store() const { return store_; }
  std::uint64_t attempts() const { return attempts_; }
  std::uint64_t crashes() const { return crashes_; }
  std::uint64_t spoiled() const { return spoiled_; }  // sums

 private:
  struct Stream {
    std::uint64_t number = 0;
    NoticeSink notices;
    BrokenSink broken;
    Instant last_arrival{0};
  };
  struct Incoming {
    ClientId client;
    protocol::UploadHeader header;
    Bytes vector;
    std::function<bool()> alive;
    bool complete = false;
  };

  void Post(const round::Event& event);
  void Crash();
  void ArmTimer();
  void AfterHere(Milliseconds delay, std::function<void()> what);  // unless this process dies first
  void Break(const ClientId& client);
  void FinishUpload(round::CallId call, const ClientId& sender,
                    const protocol::UploadHeader& header);

  void Carry(const round::Notify& effect);
  void Carry(const round::Reply& effect);
  void Carry(const round::BeginSum& effect);
  void Carry(const round::AcceptUpload& effect);
  void Carry(const round::Accumulate& effect);
  void Carry(const round::DropUpload& effect) { incoming_.erase(effect.call); }
  void Carry(const round::DropSum& effect) { sums_.erase(effect.session); }
  void Carry(const round::PersistSurvivors& effect);
  void Carry(const round::Publish& effect);
  void Open(const round::Publish& effect);
  std::optional<round::OpenedSum> OpenSum(const round::ClosedSum& closed);
  void Keep(const round::Publish& good, std::vector<round::OpenedSum> opened);
  void Carry(const round::RecordSuspicion& effect);
  void Carry(const round::RecordFailure& effect);
  void Carry(const round::JobChanged& effect);
  void Carry(const round::EvaluationRecorded&) { ++store_.evaluations; }
  void Carry(const round::RolledBack&) {}  // no world asks for it
  void Carry(const round::Progress&) {}
  void Carry(const round::Note& effect) { world_.Trace(Join("  server: ", effect.text)); }

  World& world_;
  Oracle& oracle_;
  crypto::PeerVerifier& verifier_;
  crypto::AesCtrStream rng_;
  Store store_;
  std::unique_ptr<round::Core> core_;
  std::uint64_t process_ = 0;
  std::optional<Instant> armed_;
  std::map<ClientId, Stream> streams_;
  std::map<round::CallId, ReplySink> calls_;
  std::map<round::CallId, Incoming> incoming_;
  std::map<protocol::SessionHash, secagg::Accumulator> sums_;
  std::set<ClientId> revoked_;
  std::uint64_t attempts_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t spoiled_ = 0;
  std::uint64_t streams_made_ = 0;
};

}  // namespace tutti::sim

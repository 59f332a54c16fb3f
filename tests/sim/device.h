// A device's shell in the simulated world: a Session that can die at any effect, a ledger and a
// journal that survive it, and the stubborn delivery of requests that the real shell has. Thread
// safety: confined to one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "client/session/session.h"
#include "common/crypto/random.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

namespace tutti::sim {

class Device {
 public:
  // `lies`: how often it sends a vector that its own checks pass and that spoils the sum.
  Device(World& world, Oracle& oracle, Coordinator& coordinator, crypto::PeerVerifier& verifier,
         ClientId name, round::Role role, std::uint64_t seed, double lies = 0);

  void Start();
  const ClientId& name() const { return name_; }
  bool up() const { return session_ != nullptr; }
  std::uint64_t crashes() const { return crashes_; }

 private:
  // A request or upload on its way until it is answered.
  struct Pending {
    protocol::SessionHash session{};
    std::optional<protocol::Request> request;  // else: the upload
    protocol::UploadHeader header;
    Bytes vector;
    int tries = 0;
  };

  void Post(const session::Event& event);
  void Crash();
  void AfterHere(Milliseconds delay, std::function<void()> what);  // unless this process dies first
  void Connect();
  void Deliver(std::uint64_t key);
  void Transmit(std::uint64_t key, const Pending& pending);
  void OnReply(std::uint64_t key, const Status& status);

  void Carry(const session::Decide& effect);
  void Carry(const session::Train& effect);
  void Carry(const session::StopTraining&) {}
  void Carry(const session::Charge& effect);
  void Carry(const session::Upload& effect);
  void Carry(const session::RecordAnswer& effect);
  void Carry(const session::Send& effect);
  void Carry(const session::Evaluate& effect);
  void Carry(const session::Finished& effect);
  void Carry(const session::Note& effect);

  World& world_;
  Oracle& oracle_;
  Coordinator& coordinator_;
  crypto::PeerVerifier& verifier_;
  const ClientId name_;
  const round::Role role_;
  const double lies_;
  crypto::AesCtrStream rng_;
  secagg::ClientIdentity identity_;
  std::vector<session::LastAnswered> journal_;  // durable
  std::uint64_t charges_ = 0;                   // durable
  std::unique_ptr<session::Session> session_;
  std::optional<secagg::RingVector> encoded_;  // of the running session
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t next_key_ = 0;
  std::uint64_t process_ = 0;
  std::uint64_t stream_ = 0;
  std::uint64_t crashes_ = 0;
};

}  // namespace tutti::sim

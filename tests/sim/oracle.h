// What really happened, seen from outside: every plain vector, every debit, every answer. The
// invariants are checked here, after each step that could break one. Thread safety: confined to one
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/protocol/messages.h"
#include "common/secagg/ring.h"
#include "server/round/core.h"
#include "tests/sim/world.h"

namespace tutti::sim {

class Oracle {
 public:
  explicit Oracle(World& world) : world_(world) {}

  // Devices.
  void Encoded(const ClientId& client, const protocol::SessionHash& session,
               const secagg::RingVector& encoded, bool lie);  // lie: made to spoil the sum
  void Charged(const ClientId& client, const protocol::SessionHash& session);  // durably
  void Leaves(const ClientId& client, const protocol::UploadHeader& header);   // a masked vector
  void Recorded(const ClientId& client, const protocol::SessionHash& session, std::uint64_t round,
                std::uint64_t attempt, const Digest& survivor_set);  // durably
  void Says(const ClientId& client, const protocol::Request& request);

  // The coordinator.
  void Persisted(const protocol::SessionHash& session, const std::vector<ClientId>& survivors);
  void AsksAbout(const protocol::SessionHash& session);  // survivors go out
  // `decoded`: what the coordinator makes of the sum.
  void Opened(const round::ClosedSum& closed, const secagg::RingVector& sum, const Status& decoded);
  void Holds(const cohort::SuspicionRecord& record);  // against clients, durably
  void Publishes(const round::Publish& publish);
  std::uint64_t published() const { return published_; }

 private:
  using Key = std::pair<ClientId, protocol::SessionHash>;
  World& world_;
  std::map<Key, Bytes> plain_;  // as they would travel
  std::set<Key> lies_;
  std::set<ClientId> liars_;
  std::set<Key> charged_;
  std::map<Key, Digest> left_;
  std::map<Key, Digest> answered_;
  std::map<Key, std::vector<secagg::RevealedShare>> revealed_;
  std::map<Key, crypto::Signature> committed_;
  std::map<ClientId, std::pair<std::uint64_t, std::uint64_t>> newest_;
  std::map<protocol::SessionHash, std::vector<ClientId>> persisted_;
  std::set<std::uint64_t> rounds_;
  std::uint64_t published_ = 0;
};

}  // namespace tutti::sim

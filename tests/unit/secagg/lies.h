// What the tests of a lying coordinator share: cohorts brought to each step, and forgeries that
// hang together.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "common/secagg/merkle.h"
#include "tests/unit/secagg/world.h"

namespace tutti::secagg {

inline constexpr std::uint32_t kClients = 8;
inline constexpr ThreatLevel kMalicious = ThreatLevel::kMalicious;
inline constexpr ThreatLevel kCurious = ThreatLevel::kCurious;

// All clients have joined, shared, masked or committed and the server has closed the step.
World Joined(ThreatLevel level, std::uint32_t clients = kClients);
World SharedAll(ThreatLevel level);
World MaskedAll(ThreatLevel level, std::uint32_t missing = kClients);
World CommittedAll();

// The client's session has ended: every call says so and nothing changes.
void RequireDead(World& world, std::uint32_t client);

// A tree over the joins of `world` with some of them changed: a coordinator's lie that hangs
// together.
struct Forgery {
  std::vector<Join> joins;
  std::optional<MerkleTree> tree;

  Forgery(World& world, const std::function<void(std::vector<Join>&)>& change);
  std::uint32_t size() const { return static_cast<std::uint32_t>(joins.size()); }
  Digest Session(const World& world) const;
  std::vector<Index> NeighboursOf(const World& world, Index client) const;
  Roster RosterFor(const World& world, Index client) const;
};

// `join` with the certificate and the signature of client `signer`.
Join SignedJoin(World& world, Join join, std::uint32_t signer);

}  // namespace tutti::secagg

// The inside of ServerSession, shared by the files that implement its steps. Not for other
// libraries. Thread safety: confined to one thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/secagg/binding.h"
#include "common/secagg/graph.h"
#include "common/secagg/merkle.h"
#include "common/secagg/server_session.h"
#include "common/secagg/shamir.h"
#include "common/secagg/signer.h"

namespace tutti::secagg {

struct Joined {
  Join join;
  Signer signer;  // level malicious
};

struct Member {
  ClientId client;
  Join join;
  Signer signer;
  std::vector<Index> neighbours;  // ascending
  std::vector<Index> peers;       // neighbours in U1, from CloseShares on
  std::optional<Shares> shares;
  bool in_u1 = false;
  std::optional<MaskedHeader> checked_header;  // its signature is good
  std::optional<MaskedHeader> header;          // its vector is in the sum
  bool in_u2 = false;
  std::optional<Commit> commit;
  std::optional<Unmask> unmask;
  std::uint32_t shares_seen = 0;  // revealed shares of this member's needed secret
};

struct ServerSession::State {
  RoundConfig config;
  Digest config_hash{};
  crypto::PeerVerifier* verifier = nullptr;
  ServerStep step = ServerStep::kJoining;

  // Until the roster is frozen.
  std::map<ClientId, Joined> joins;
  std::set<crypto::X25519Public> keys;
  DistinctSigners signers;

  // The frozen roster.
  std::vector<Member> members;  // by index: ascending client name
  std::map<ClientId, Index> places;
  std::optional<MerkleTree> tree;
  GraphParameters graph;
  Digest session{};

  std::size_t shared = 0, masked = 0, committed = 0, unmasked = 0;

  bool IsMalicious() const { return config.level == ThreatLevel::kMalicious; }
  std::uint32_t Size() const { return static_cast<std::uint32_t>(members.size()); }
  std::size_t CommitsNeeded() const;
  // Fewest clients that must be left for the sum to be opened.
  std::size_t SurvivorsNeeded() const;

  // FailedPrecondition "EARLY" or "LATE" unless the session is at `wanted`.
  Status Expect(ServerStep wanted, std::string_view what) const;
  // FailedPrecondition "EARLY" before `first`.
  Status NotBefore(ServerStep first, std::string_view what) const;
  StatusOr<Index> PlaceOf(const ClientId& client) const;  // NotFound
  // Whose joins this member has: its own and its neighbours', ascending.
  std::vector<Index> KnownTo(Index index) const;
  const ShareBox& BoxFromTo(const Member& owner, Index holder) const;
  // 1-based place of `holder` among the owner's neighbours: the point of its shares. 0: no
  // neighbour.
  std::uint8_t PointOf(const Member& owner, Index holder) const;

  Status CheckJoinKeys(const ClientId& client, const Join& join) const;
  StatusOr<Signer> CheckJoinSigner(const ClientId& client, const Join& join) const;
  void ExcludeLonelySharers();
  Status CheckHeader(Index index, const MaskedHeader& header) const;
  Status CheckUnmask(Index index, const Unmask& unmask) const;

  // An owner's secret is needed when it survived (seed) or when it dropped and survivors masked
  // with it (mask key).
  bool SecretNeeded(const Member& owner) const;
  std::vector<SecretShare> SharesOf(Index owner, std::size_t limit) const;
  StatusOr<Secret32> RebuildOf(Index owner) const;
  Status AppendPairMasks(Index dropped, const Secret32& mask_key,
                         std::vector<LeftoverMask>& masks) const;
};

// "client NAME", safe to print.
std::string Named(const ClientId& client);

}  // namespace tutti::secagg

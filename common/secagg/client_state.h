// The inside of ClientSession, shared by the files that implement its steps. Not for other
// libraries. Thread safety: confined to one thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/secagg/binding.h"
#include "common/secagg/client_session.h"
#include "common/secagg/graph.h"
#include "common/secagg/merkle.h"
#include "common/secagg/signer.h"

namespace tutti::secagg {

struct Neighbour {
  Index index = 0;
  Signer signer;        // level malicious
  Secret32 box_secret;  // the keys of both directions' boxes come from it
  crypto::MaskSeed mask_seed;
  bool in_u1 = false;
  bool holds_shares = false;  // its box opened and fits its hash: the two shares are good
  Secret32 seed_share;
  Secret32 mask_key_share;
};

// A commit and who it is of.
struct SignedCommit {
  const CommitEntry* entry = nullptr;
  Signer signer;
};

struct ClientSession::State {
  RoundConfig config;
  Digest config_hash{};
  crypto::PeerVerifier* verifier = nullptr;
  crypto::Ed25519Private signing_key;
  Signer self;  // level malicious
  Join join;

  // This round's secrets: made at the start, gone once their shares are made.
  crypto::X25519Private box_key;
  crypto::X25519Private mask_key;
  Secret32 seed;

  // Step 1.
  std::optional<Roster> roster;
  std::optional<Shares> shares;
  Digest session{};
  GraphParameters graph;
  Index index = 0;
  std::vector<Neighbour> neighbours;  // ascending index
  crypto::MaskSeed self_mask_seed;

  // Step 2.
  std::optional<Boxes> boxes;
  std::vector<RingVector::Mask> masks;  // own mask first
  std::optional<MaskedHeader> header;

  // Steps 3 and 4.
  std::optional<Survivors> survivors;  // the one set this session knows
  std::optional<Digest> survivor_set;  // SHA-256 of its bitmap
  std::optional<Commit> commit;
  std::optional<CommitCertificate> certificate;  // that was answered
  std::optional<Unmask> answer;

  std::string ended;  // why nothing leaves any more; empty while the session lives

  bool IsMalicious() const { return config.level == ThreatLevel::kMalicious; }
  Neighbour* FindNeighbour(Index peer);
  std::vector<Index> MaskedPeers() const;  // neighbours in U1, ascending

  // Every refusal of a message of the coordinator goes through here: keys are wiped and nothing is
  // answered any more.
  Status Refuse(StatusCode status, std::string_view code, std::string_view why);
  Status Reject(std::string_view code, const Status& cause);  // InvalidArgument
  Status OutOfOrder(std::string_view why);                    // FailedPrecondition
  Status Conflict(std::string_view why);                      // FailedPrecondition
  Status Alive() const;  // FailedPrecondition naming the first refusal, after one
  void WipeKeys();

  // client_roster.cc
  Status CheckRoster(const Roster& candidate);
  // The tree's leaves of this client and of the roster's entries, ascending.
  std::vector<PlacedDigest> KnownLeaves(const Roster& candidate) const;
  Status CheckSigners(const Roster& candidate);
  Status CheckJoinSignatures(const Roster& candidate, std::span<const std::size_t> places) const;
  Status AgreeWithNeighbours(const Roster& candidate);
  Shares MakeShares(SecureRng& rng);
  // client_boxes.cc
  Status OpenBoxes(const Boxes& candidate);
  void PrepareMasks();
  // client_survivors.cc
  Status CheckSurvivors(const Survivors& set);
  Status CheckCertificate(const CommitCertificate& candidate);
  Status CheckCommitSignatures(std::span<const SignedCommit> candidates) const;
  bool SignersAreInTree(const CommitCertificate& candidate);
  StatusOr<Signer> SignerOf(const CommitEntry& entry);
  void AdoptSurvivors(const Survivors& set);
  Unmask Reveal();  // wipes every key
};

}  // namespace tutti::secagg

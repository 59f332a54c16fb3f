// Step 1 of ClientSession: the roster is checked in full before a share is made.
#include <algorithm>
#include <set>

#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/crypto/box.h"
#include "common/crypto/ed25519_batch.h"
#include "common/secagg/client_state.h"
#include "common/secagg/shamir.h"

namespace tutti::secagg {

StatusOr<Shares> ClientSession::OnRoster(const Roster& roster, SecureRng& rng) {
  State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (state.shares.has_value()) {
    if (roster == *state.roster || !Guard("conflict.roster")) {
      return *state.shares;
    }
    return state.Conflict("a second roster differs from the one already answered");
  }
  if (Status checked = state.CheckRoster(roster); !checked.ok()) {
    return state.Reject("ROSTER_REJECTED", checked);
  }
  state.roster = roster;
  state.shares = state.MakeShares(rng);
  return *state.shares;
}

Status ClientSession::State::CheckRoster(const Roster& candidate) {
  const std::uint32_t n = candidate.size;
  if ((n < config.min_cohort || n > config.max_cohort) && Guard("roster.size")) {
    return InvalidArgument(tutti::Join("roster of ", n,
                                       " clients, the round's configuration allows ",
                                       config.min_cohort, " to ", config.max_cohort));
  }
  if (candidate.own_index >= n && Guard("roster.own_index")) {
    return InvalidArgument(
        tutti::Join("own index ", candidate.own_index, " lies outside the roster of ", n));
  }
  TUTTI_ASSIGN(graph, ChooseGraph(n, config.level, config.corrupt_fraction, config.dropout_fraction,
                                  config.privacy_bits, config.liveness_bits));
  session = SessionId(config_hash, candidate.root, n);
  index = candidate.own_index;
  const std::vector<Index> expected = NeighboursInGraph(n, graph.neighbours, session, index);
  const bool same_places = std::equal(
      candidate.entries.begin(), candidate.entries.end(), expected.begin(), expected.end(),
      [](const RosterEntry& entry, Index place) { return entry.index == place; });
  if (!same_places && Guard("roster.neighbours")) {
    return InvalidArgument(tutti::Join("roster's ", candidate.entries.size(),
                                       " entries are not this client's ", graph.neighbours,
                                       " neighbours in the graph of the session"));
  }
  std::set<crypto::X25519Public> keys{join.box_key, join.mask_key};
  for (const RosterEntry& entry : candidate.entries) {
    const bool new_keys =
        keys.insert(entry.join.box_key).second && keys.insert(entry.join.mask_key).second;
    if (!new_keys && Guard("roster.keys")) {
      return InvalidArgument(tutti::Join("entry ", entry.index, " repeats a key of another entry"));
    }
  }
  neighbours.clear();
  neighbours.resize(graph.neighbours);
  if (IsMalicious()) {
    if (!MerkleProofFits(candidate.root, n, KnownLeaves(candidate), candidate.proof) &&
        Guard("roster.tree")) {
      return InvalidArgument(
          "the joins of this client and of the roster's entries are not in the roster's tree");
    }
    TUTTI_TRY(CheckSigners(candidate));
  }
  return AgreeWithNeighbours(candidate);
}

std::vector<PlacedDigest> ClientSession::State::KnownLeaves(const Roster& candidate) const {
  std::vector<PlacedDigest> leaves;
  for (const RosterEntry& entry : candidate.entries) {
    leaves.push_back({entry.index, JoinLeaf(entry.index, entry.join)});
  }
  const auto place = std::find_if(leaves.begin(), leaves.end(),
                                  [this](const PlacedDigest& leaf) { return leaf.place > index; });
  leaves.insert(place, {index, JoinLeaf(index, join)});
  return leaves;
}

Status ClientSession::State::CheckSigners(const Roster& candidate) {
  DistinctSigners distinct;
  distinct.Add(self);
  std::vector<std::size_t> signing;  // the places whose certificate is good
  for (std::size_t place = 0; place < neighbours.size(); ++place) {
    const RosterEntry& entry = candidate.entries[place];
    StatusOr<Signer> signer = VerifySigner(*verifier, entry.join.certificate);
    if (!signer.ok()) {
      if (!Guard("roster.certificate")) continue;
      return Annotate(signer.status(), tutti::Join("entry ", entry.index));
    }
    if (!distinct.Add(*signer) && Guard("roster.signers")) {
      return InvalidArgument(tutti::Join("entry ", entry.index, " is of ",
                                         Escaped(signer->name, 64),
                                         ", who is in the roster already"));
    }
    neighbours[place].signer = *std::move(signer);
    signing.push_back(place);
  }
  return CheckJoinSignatures(candidate, signing);
}

Status ClientSession::State::CheckJoinSignatures(const Roster& candidate,
                                                 std::span<const std::size_t> places) const {
  std::vector<Bytes> statements;
  std::vector<crypto::SignedMessage> joins;
  for (const std::size_t place : places) {
    const Join& signed_join = candidate.entries[place].join;
    statements.push_back(JoinStatement(config_hash, signed_join));
    joins.push_back({.key = neighbours[place].signer.key,
                     .message = statements.back(),
                     .signature = signed_join.signature});
  }
  const std::vector<std::size_t> bad = crypto::BadSignatures(joins);
  if (!bad.empty() && Guard("roster.signature")) {
    const std::size_t place = places[bad.front()];
    return InvalidArgument(tutti::Join("entry ", candidate.entries[place].index, " of ",
                                       Escaped(neighbours[place].signer.name, 64),
                                       " is not signed by its certificate's key for this round"));
  }
  return OkStatus();
}

Status ClientSession::State::AgreeWithNeighbours(const Roster& candidate) {
  crypto::Agreement box_agreement(box_key);
  crypto::Agreement mask_agreement(mask_key);
  for (std::size_t place = 0; place < neighbours.size(); ++place) {
    const RosterEntry& entry = candidate.entries[place];
    Neighbour& neighbour = neighbours[place];
    neighbour.index = entry.index;
    const StatusOr<Secret32> boxes_agreed = box_agreement.With(entry.join.box_key);
    const StatusOr<Secret32> masks_agreed = mask_agreement.With(entry.join.mask_key);
    if (!boxes_agreed.ok() || !masks_agreed.ok()) {
      if (!Guard("roster.low_order")) continue;
      return InvalidArgument(
          tutti::Join("entry ", entry.index, " has a key that gives no secret (low order)"));
    }
    neighbour.box_secret = PairSecret(session, *boxes_agreed);
    neighbour.mask_seed = PairMaskSeed(PairSecret(session, *masks_agreed), index, entry.index);
  }
  self_mask_seed = SelfMaskSeed(session, seed, index);
  return OkStatus();
}

// Splits the seed and the mask key among the neighbours. Afterwards neither is needed here again,
// and both go.
Shares ClientSession::State::MakeShares(SecureRng& rng) {
  const std::vector<Secret32> seed_shares =
      SplitSecret(seed, graph.threshold, graph.neighbours, rng);
  const std::vector<Secret32> key_shares =
      SplitSecret(mask_key, graph.threshold, graph.neighbours, rng);
  Shares made;
  made.boxes.resize(neighbours.size());
  for (std::size_t place = 0; place < neighbours.size(); ++place) {
    const Neighbour& holder = neighbours[place];
    Secret<64> plain;
    const auto seed_view = seed_shares[place].view();
    const auto key_view = key_shares[place].view();
    std::copy(seed_view.begin(), seed_view.end(), plain.mutable_view().begin());
    std::copy(key_view.begin(), key_view.end(), plain.mutable_view().begin() + 32);
    ShareBox& box = made.boxes[place];
    box.peer = holder.index;
    box.share_hash = ShareHash(session, index, holder.index, seed_view, key_view);
    const Bytes sealed =
        crypto::Seal(BoxKey(holder.box_secret, index, holder.index),
                     BoxAssociatedData(session, index, holder.index), plain.view());
    TUTTI_CHECK(sealed.size() == box.ciphertext.size());
    std::copy(sealed.begin(), sealed.end(), box.ciphertext.begin());
  }
  if (IsMalicious()) {
    made.signature = crypto::Sign(signing_key, SharesStatement(session, index, made.boxes));
  }
  box_key.Clear();
  mask_key.Clear();
  seed.Clear();
  return made;
}

}  // namespace tutti::secagg

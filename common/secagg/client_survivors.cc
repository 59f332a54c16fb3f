// Steps 3 and 4 of ClientSession: one survivor set is committed to, proven to be everybody's, and
// answered once.
#include <algorithm>

#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/crypto/ed25519_batch.h"
#include "common/crypto/hash.h"
#include "common/secagg/client_state.h"

namespace tutti::secagg {

StatusOr<Commit> ClientSession::OnSurvivors(const Survivors& survivors) {
  State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (!state.IsMalicious() && Guard("order.commit_at_curious")) {
    return state.OutOfOrder("a commit is asked for, level curious has none");
  }
  if (state.commit.has_value()) {
    if (survivors == *state.survivors || !Guard("conflict.survivors")) {
      return *state.commit;
    }
    return state.Conflict("a second survivor set differs from the one already committed to");
  }
  if (!state.header.has_value() && Guard("order.survivors")) {
    return state.OutOfOrder("a survivor set came before the masked vector was announced");
  }
  if (Status checked = state.CheckSurvivors(survivors); !checked.ok()) {
    return state.Reject("SURVIVORS_REJECTED", checked);
  }
  state.AdoptSurvivors(survivors);
  state.commit =
      Commit{crypto::Sign(state.signing_key, CommitStatement(state.session, *state.survivor_set))};
  return *state.commit;
}

StatusOr<Unmask> ClientSession::OnCertificate(const CommitCertificate& certificate) {
  State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (!state.IsMalicious() && Guard("order.certificate_at_curious")) {
    return state.OutOfOrder("a commit certificate came, level curious has none");
  }
  if (state.answer.has_value()) {
    if (certificate == *state.certificate || !Guard("conflict.certificate")) {
      return *state.answer;
    }
    return state.Conflict("a second certificate differs from the one already answered");
  }
  if (!state.commit.has_value() && Guard("order.certificate")) {
    return state.OutOfOrder("a commit certificate came before this client committed");
  }
  if (Status checked = state.CheckCertificate(certificate); !checked.ok()) {
    return state.Reject("CERTIFICATE_REJECTED", checked);
  }
  state.certificate = certificate;
  state.answer = state.Reveal();
  return *state.answer;
}

StatusOr<Unmask> ClientSession::OnSurvivorsCurious(const Survivors& survivors) {
  State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (state.IsMalicious() && Guard("order.shares_without_commits")) {
    return state.OutOfOrder("shares are asked for without commits, level malicious needs them");
  }
  if (state.answer.has_value()) {
    if (survivors == *state.survivors || !Guard("conflict.survivors_curious")) {
      return *state.answer;
    }
    return state.Conflict("a second survivor set differs from the one already answered");
  }
  if (!state.header.has_value() && Guard("order.survivors_curious")) {
    return state.OutOfOrder("a survivor set came before the masked vector was announced");
  }
  if (Status checked = state.CheckSurvivors(survivors); !checked.ok()) {
    return state.Reject("SURVIVORS_REJECTED", checked);
  }
  state.AdoptSurvivors(survivors);
  state.answer = state.Reveal();
  return *state.answer;
}

Status ClientSession::State::CheckSurvivors(const Survivors& set) {
  if (!IsBitmapOf(set.bitmap, roster->size) && Guard("survivors.bitmap")) {
    return InvalidArgument(tutti::Join("survivor set of ", set.bitmap.size(),
                                       " bytes is not one over a roster of ", roster->size,
                                       " (length or bits beyond its end)"));
  }
  if (!TestBit(set.bitmap, index) && Guard("survivors.own")) {
    return InvalidArgument("survivor set leaves this client out, whose vector it asks to open");
  }
  const std::uint32_t alive = CountBits(set.bitmap);
  if (alive < config.min_survivors && Guard("survivors.few")) {
    return InvalidArgument(tutti::Join("survivor set has ", alive, " clients, expected at least ",
                                       config.min_survivors));
  }
  std::uint32_t alive_neighbours = 0;
  for (const Neighbour& neighbour : neighbours) {
    if (!TestBit(set.bitmap, neighbour.index)) {
      continue;
    }
    if (!neighbour.in_u1 && Guard("survivors.shared")) {
      return InvalidArgument(
          tutti::Join("survivor set has client ", neighbour.index, ", whose shares never came"));
    }
    ++alive_neighbours;
  }
  if (alive_neighbours < graph.threshold && Guard("survivors.neighbours")) {
    return InvalidArgument(tutti::Join("survivor set has ", alive_neighbours,
                                       " neighbours of this client, expected at least ",
                                       graph.threshold));
  }
  return OkStatus();
}

void ClientSession::State::AdoptSurvivors(const Survivors& set) {
  survivors = set;
  survivor_set = crypto::Sha256(set.bitmap);
}

// The roster's tree and the certificate say who may sign; that the signer's join is signed too was
// its neighbours' to check. A place in the tree that its owner never asked for is counted once all
// the same: names and keys are distinct.
StatusOr<Signer> ClientSession::State::SignerOf(const CommitEntry& entry) {
  if (entry.index == index) {
    return self;
  }
  if (const Neighbour* neighbour = FindNeighbour(entry.index); neighbour != nullptr) {
    return neighbour->signer;
  }
  return VerifySigner(*verifier, entry.join.certificate);
}

bool ClientSession::State::SignersAreInTree(const CommitCertificate& candidate) {
  std::vector<PlacedDigest> leaves = KnownLeaves(*roster);
  const auto known = static_cast<std::ptrdiff_t>(leaves.size());
  for (const CommitEntry& entry : candidate.commits) {
    if (entry.index != index && FindNeighbour(entry.index) == nullptr) {
      leaves.push_back({entry.index, JoinLeaf(entry.index, entry.join)});
    }
  }
  std::inplace_merge(
      leaves.begin(), leaves.begin() + known, leaves.end(),
      [](const PlacedDigest& a, const PlacedDigest& b) { return a.place < b.place; });
  return MerkleProofFits(roster->root, roster->size, std::move(leaves), candidate.proof);
}

Status ClientSession::State::CheckCommitSignatures(std::span<const SignedCommit> candidates) const {
  const Bytes statement = CommitStatement(session, *survivor_set);
  std::vector<crypto::SignedMessage> signatures;
  for (const SignedCommit& candidate : candidates) {
    signatures.push_back({.key = candidate.signer.key,
                          .message = statement,
                          .signature = candidate.entry->signature});
  }
  const std::vector<std::size_t> bad = crypto::BadSignatures(signatures);
  if (!bad.empty() && Guard("certificate.signature")) {
    const SignedCommit& first = candidates[bad.front()];
    return InvalidArgument(tutti::Join("commit of client ", first.entry->index, " (",
                                       Escaped(first.signer.name, 64),
                                       ") does not sign the set this client committed to"));
  }
  return OkStatus();
}

Status ClientSession::State::CheckCertificate(const CommitCertificate& candidate) {
  const std::uint32_t needed = CommitsNeeded(roster->size, config.corrupt_fraction);
  const std::size_t commits = candidate.commits.size();
  if ((commits < needed || commits > roster->size) && Guard("certificate.few")) {
    return InvalidArgument(tutti::Join("certificate of ", candidate.commits.size(),
                                       " commits, expected ", needed, " to ", roster->size));
  }
  DistinctSigners distinct;
  std::vector<SignedCommit> signed_commits;
  std::optional<Index> last;
  for (const CommitEntry& entry : candidate.commits) {
    if (last.has_value() && entry.index <= *last && Guard("certificate.order")) {
      return InvalidArgument(tutti::Join("commit of client ", entry.index,
                                         " follows that of client ", *last,
                                         ", expected ascending signers"));
    }
    last = entry.index;
    if (!TestBit(survivors->bitmap, entry.index) && Guard("certificate.survivor")) {
      return InvalidArgument(
          tutti::Join("commit of client ", entry.index, ", who is not in the survivor set"));
    }
    StatusOr<Signer> signer = SignerOf(entry);
    if (!signer.ok()) {
      if (!Guard("certificate.signer")) continue;
      return Annotate(signer.status(), tutti::Join("commit of client ", entry.index));
    }
    if (!distinct.Add(*signer) && Guard("certificate.signers")) {
      return InvalidArgument(tutti::Join("commit of client ", entry.index, " is of ",
                                         Escaped(signer->name, 64), ", who signed already"));
    }
    signed_commits.push_back({.entry = &entry, .signer = *std::move(signer)});
  }
  TUTTI_TRY(CheckCommitSignatures(signed_commits));
  if (!SignersAreInTree(candidate) && Guard("certificate.tree")) {
    return InvalidArgument("the signers' joins are not in the roster's tree");
  }
  return OkStatus();
}

// One share for each neighbour in U1, never both of one owner: its seed's when it survived, else
// its mask key's.
Unmask ClientSession::State::Reveal() {
  Unmask revealed;
  for (const Neighbour& owner : neighbours) {
    if (!owner.in_u1 || !owner.holds_shares) {
      continue;
    }
    RevealedShare share{
        .owner = owner.index, .is_mask_key = !TestBit(survivors->bitmap, owner.index), .share = {}};
    const auto view = (share.is_mask_key ? owner.mask_key_share : owner.seed_share).view();
    std::copy(view.begin(), view.end(), share.share.begin());
    revealed.shares.push_back(share);
  }
  WipeKeys();
  return revealed;
}

}  // namespace tutti::secagg

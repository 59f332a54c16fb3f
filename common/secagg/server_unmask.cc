// ServerSession, step 4: shares are checked as they come, secrets are rebuilt and compared with
// what their owners advertised before a mask is derived from them.
#include <algorithm>

#include "common/base/text.h"
#include "common/secagg/server_state.h"

namespace tutti::secagg {

Status ServerSession::State::CheckUnmask(Index index, const Unmask& unmask) const {
  const Member& holder = members[index];
  if (!holder.in_u2 || (IsMalicious() && !holder.commit.has_value())) {
    return InvalidArgument(tutti::Join(
        Named(holder.client), " revealed shares and ",
        holder.in_u2 ? "never committed to the survivor set" : "is not in the survivor set"));
  }
  const RevealedShare* last = nullptr;
  for (const RevealedShare& share : unmask.shares) {
    if (!std::binary_search(holder.peers.begin(), holder.peers.end(), share.owner)) {
      return InvalidArgument(tutti::Join(Named(holder.client), " revealed a share of owner ",
                                         share.owner, ", whose shares it does not hold"));
    }
    if (last != nullptr && share.owner <= last->owner) {
      return InvalidArgument(tutti::Join(Named(holder.client), " revealed a share of owner ",
                                         share.owner, " after that of ", last->owner,
                                         ", expected ascending owners"));
    }
    last = &share;
    const Member& owner = members[share.owner];
    if (share.is_mask_key == owner.in_u2) {
      return InvalidArgument(
          tutti::Join(Named(holder.client), " revealed ", Named(owner.client), "'s ",
                      share.is_mask_key ? "mask key, which survived" : "seed, which dropped"));
    }
    if (!ShareFitsHash(BoxFromTo(owner, index).share_hash, session, share.owner, index,
                       share.is_mask_key ? ShareKind::kMaskKey : ShareKind::kSeed, share.share)) {
      return InvalidArgument(tutti::Join(Named(holder.client), " revealed a share of ",
                                         Named(owner.client),
                                         " that does not fit the hash its owner sent with it"));
    }
  }
  return OkStatus();
}

Status ServerSession::AddUnmask(const ClientId& client, const Unmask& unmask) {
  State& state = *state_;
  TUTTI_TRY(state.NotBefore(ServerStep::kUnmasking, "an unmask answer"));
  TUTTI_ASSIGN(const Index index, state.PlaceOf(client));
  Member& member = state.members[index];
  if (member.unmask.has_value()) {
    return unmask == *member.unmask
               ? OkStatus()
               : AlreadyExists(tutti::Join("CONFLICT: a second unmask answer of ", Named(client),
                                           " differs"));
  }
  TUTTI_TRY(state.Expect(ServerStep::kUnmasking, "an unmask answer"));
  TUTTI_TRY(state.CheckUnmask(index, unmask));
  for (const RevealedShare& share : unmask.shares) {
    ++state.members[share.owner].shares_seen;
  }
  member.unmask = unmask;
  ++state.unmasked;
  return OkStatus();
}

bool ServerSession::State::SecretNeeded(const Member& owner) const {
  if (owner.in_u2) {
    return true;
  }
  return owner.in_u1 && std::any_of(owner.peers.begin(), owner.peers.end(),
                                    [this](Index peer) { return members[peer].in_u2; });
}

std::vector<SecretShare> ServerSession::State::SharesOf(Index owner, std::size_t limit) const {
  std::vector<SecretShare> shares;
  for (const Index holder : members[owner].peers) {
    const std::optional<Unmask>& unmask = members[holder].unmask;
    if (!unmask.has_value() || shares.size() == limit) {
      continue;
    }
    const auto found = std::lower_bound(
        unmask->shares.begin(), unmask->shares.end(), owner,
        [](const RevealedShare& share, Index wanted) { return share.owner < wanted; });
    if (found != unmask->shares.end() && found->owner == owner) {
      shares.push_back({.point = PointOf(members[owner], holder), .value = Secret32(found->share)});
    }
  }
  return shares;
}

bool ServerSession::CanRebuild() const {
  const State& state = *state_;
  if (state.step < ServerStep::kUnmasking) {
    return false;
  }
  return std::all_of(state.members.begin(), state.members.end(), [&state](const Member& owner) {
    return owner.shares_seen >= state.graph.threshold || !state.SecretNeeded(owner);
  });
}

// Every share here fits the hash its owner sent, so a secret that is not the advertised one is its
// owner's doing.
StatusOr<Secret32> ServerSession::State::RebuildOf(Index owner) const {
  const Member& member = members[owner];
  const std::vector<SecretShare> shares = SharesOf(owner, graph.threshold);
  if (shares.size() < graph.threshold) {
    return FailedPrecondition(tutti::Join(Named(member.client), "'s secret has ", shares.size(),
                                          " shares, expected ", graph.threshold,
                                          "; wait for more unmask answers"));
  }
  TUTTI_ASSIGN(Secret32 secret, RebuildSecret(shares));
  const bool advertised = member.in_u2
                              ? SeedCommitment(config_hash, secret) == member.join.seed_commitment
                              : crypto::PublicOf(secret) == member.join.mask_key;
  if (!advertised) {
    return Aborted(tutti::Join(Named(member.client), " shared a ",
                               member.in_u2 ? "seed that is not the one it committed to"
                                            : "mask key that is not the one it advertised",
                               "; the sum cannot be opened"));
  }
  return secret;
}

Status ServerSession::State::AppendPairMasks(Index dropped, const Secret32& mask_key,
                                             std::vector<LeftoverMask>& masks) const {
  crypto::Agreement agreement(mask_key);
  for (const Index peer : members[dropped].peers) {
    if (!members[peer].in_u2) {
      continue;
    }
    const StatusOr<Secret32> agreed = agreement.With(members[peer].join.mask_key);
    if (!agreed.ok()) {
      return Aborted(tutti::Join(Named(members[dropped].client),
                                 "'s rebuilt mask key gives no "
                                 "secret with that of ",
                                 Named(members[peer].client)));
    }
    // The survivor added the mask when its index is the smaller one.
    masks.push_back({.seed = PairMaskSeed(PairSecret(session, *agreed), peer, dropped),
                     .in_sum_positive = peer < dropped});
  }
  return OkStatus();
}

StatusOr<std::vector<LeftoverMask>> ServerSession::Rebuild() {
  State& state = *state_;
  TUTTI_TRY(state.NotBefore(ServerStep::kUnmasking, "rebuilding"));
  std::vector<LeftoverMask> masks;
  for (Index owner = 0; owner < state.Size(); ++owner) {
    const Member& member = state.members[owner];
    if (!state.SecretNeeded(member)) {
      continue;
    }
    TUTTI_ASSIGN(const Secret32 secret, state.RebuildOf(owner));
    if (member.in_u2) {
      masks.push_back(
          {.seed = SelfMaskSeed(state.session, secret, owner), .in_sum_positive = true});
    } else {
      TUTTI_TRY(state.AppendPairMasks(owner, secret, masks));
    }
  }
  state.step = ServerStep::kRebuilt;
  return masks;
}

}  // namespace tutti::secagg

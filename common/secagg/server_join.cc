// ServerSession, steps 0 and 1: joins, the frozen roster, and the share boxes.
#include <algorithm>

#include "common/base/text.h"
#include "common/secagg/server_state.h"

namespace tutti::secagg {
namespace {

// A key whose agreement with any other is zero would make every honest neighbour refuse the roster.
bool GivesSecrets(const crypto::X25519Public& key) {
  Secret32 any_key;
  any_key.mutable_view()[0] = 8;
  return crypto::Agree(any_key, key).ok();
}

}  // namespace

Status ServerSession::State::CheckJoinKeys(const ClientId& client, const Join& join) const {
  if (!GivesSecrets(join.box_key) || !GivesSecrets(join.mask_key)) {
    return InvalidArgument(
        tutti::Join(Named(client), " joined with a key that gives no secret (low order)"));
  }
  if (join.box_key == join.mask_key || keys.contains(join.box_key) ||
      keys.contains(join.mask_key)) {
    return InvalidArgument(
        tutti::Join(Named(client), " joined with a key used before in this round"));
  }
  return OkStatus();
}

StatusOr<Signer> ServerSession::State::CheckJoinSigner(const ClientId& client,
                                                       const Join& join) const {
  if (!IsMalicious()) {
    if (!join.certificate.empty() || join.signature != crypto::Signature{}) {
      return InvalidArgument(tutti::Join(Named(client),
                                         " joined with a certificate or signature, "
                                         "level curious has neither"));
    }
    return Signer{};
  }
  StatusOr<Signer> signer = VerifySigner(*verifier, join.certificate);
  if (!signer.ok()) {
    return InvalidArgument(
        tutti::Join(Named(client), "'s join is refused: ", MessageOf(signer.status())));
  }
  if (signer->name != client.value()) {
    return InvalidArgument(
        tutti::Join(Named(client), " joined with the certificate of ", Escaped(signer->name, 64)));
  }
  if (!crypto::Verify(signer->key, JoinStatement(config_hash, join), join.signature)) {
    return InvalidArgument(tutti::Join(
        Named(client), "'s join is not signed by its certificate's key for this configuration"));
  }
  return signer;
}

Status ServerSession::AddJoin(const ClientId& client, const Join& join) {
  State& state = *state_;
  if (const auto place = state.places.find(client); place != state.places.end()) {
    return join == state.members[place->second].join
               ? OkStatus()
               : AlreadyExists(
                     tutti::Join("CONFLICT: a second join of ", Named(client), " differs"));
  }
  if (const auto known = state.joins.find(client); known != state.joins.end()) {
    return join == known->second.join ? OkStatus()
                                      : AlreadyExists(tutti::Join("CONFLICT: a second join of ",
                                                                  Named(client), " differs"));
  }
  TUTTI_TRY(state.Expect(ServerStep::kJoining, "a join"));
  if (state.joins.size() >= state.config.max_cohort) {
    return FailedPrecondition(tutti::Join("LATE: the cohort of ", state.config.max_cohort,
                                          " is full; wait for the next round"));
  }
  TUTTI_TRY(state.CheckJoinKeys(client, join));
  TUTTI_ASSIGN(Signer signer, state.CheckJoinSigner(client, join));
  if (state.IsMalicious() && !state.signers.Add(signer)) {
    return InvalidArgument(
        tutti::Join(Named(client), " joined with the key of another client's certificate"));
  }
  state.keys.insert(join.box_key);
  state.keys.insert(join.mask_key);
  state.joins.emplace(client, Joined{.join = join, .signer = std::move(signer)});
  return OkStatus();
}

Status ServerSession::CloseJoins() {
  State& state = *state_;
  TUTTI_TRY(state.Expect(ServerStep::kJoining, "closing the joins"));
  const auto n = static_cast<std::uint32_t>(state.joins.size());
  if (n < state.config.min_cohort) {
    return FailedPrecondition(
        tutti::Join("only ", n, " clients joined, expected at least ", state.config.min_cohort));
  }
  const RoundConfig& c = state.config;
  const StatusOr<GraphParameters> graph = ChooseGraph(
      n, c.level, c.corrupt_fraction, c.dropout_fraction, c.privacy_bits, c.liveness_bits);
  if (!graph.ok()) {
    return FailedPrecondition(MessageOf(graph.status()));
  }
  state.graph = *graph;
  std::vector<Digest> leaves;
  for (auto& [client, joined] : state.joins) {
    const auto index = static_cast<Index>(state.members.size());
    leaves.push_back(JoinLeaf(index, joined.join));
    state.places.emplace(client, index);
    Member member;
    member.client = client;
    member.join = std::move(joined.join);
    member.signer = std::move(joined.signer);
    state.members.push_back(std::move(member));
  }
  state.joins.clear();
  state.keys.clear();
  state.tree.emplace(std::move(leaves));
  state.session = SessionId(state.config_hash, state.tree->root(), n);
  const Graph rows(n, state.graph.neighbours, state.session);
  for (Index index = 0; index < n; ++index) {
    state.members[index].neighbours = rows.NeighboursOf(index);
  }
  state.step = ServerStep::kSharing;
  return OkStatus();
}

StatusOr<Roster> ServerSession::RosterFor(const ClientId& client) const {
  const State& state = *state_;
  TUTTI_TRY(state.NotBefore(ServerStep::kSharing, "the roster"));
  TUTTI_ASSIGN(const Index own, state.PlaceOf(client));
  Roster roster{.size = state.Size(),
                .root = state.tree->root(),
                .own_index = own,
                .entries = {},
                .proof = {}};
  for (const Index place : state.members[own].neighbours) {
    const Join& join = state.members[place].join;
    roster.entries.push_back({.index = place, .join = {}});
    if (state.IsMalicious()) {
      roster.entries.back().join = join;
    } else {
      roster.entries.back().join.box_key = join.box_key;
      roster.entries.back().join.mask_key = join.mask_key;
    }
  }
  if (state.IsMalicious()) {
    roster.proof = state.tree->ProofOf(state.KnownTo(own));
  }
  return roster;
}

Status ServerSession::AddShares(const ClientId& client, const Shares& shares) {
  State& state = *state_;
  TUTTI_TRY(state.NotBefore(ServerStep::kSharing, "a share list"));
  TUTTI_ASSIGN(const Index index, state.PlaceOf(client));
  Member& member = state.members[index];
  if (member.shares.has_value()) {
    return shares == *member.shares ? OkStatus()
                                    : AlreadyExists(tutti::Join("CONFLICT: a second share list of ",
                                                                Named(client), " differs"));
  }
  TUTTI_TRY(state.Expect(ServerStep::kSharing, "a share list"));
  const bool same_places = std::equal(
      shares.boxes.begin(), shares.boxes.end(), member.neighbours.begin(), member.neighbours.end(),
      [](const ShareBox& box, Index neighbour) { return box.peer == neighbour; });
  if (!same_places) {
    return InvalidArgument(tutti::Join(Named(client), " sent ", shares.boxes.size(),
                                       " boxes, expected one for each of its ",
                                       member.neighbours.size(), " neighbours in ascending order"));
  }
  if (state.IsMalicious() &&
      !crypto::Verify(member.signer.key, SharesStatement(state.session, index, shares.boxes),
                      shares.signature)) {
    return InvalidArgument(tutti::Join(Named(client), "'s share list is not signed by its key"));
  }
  member.shares = shares;
  ++state.shared;
  return OkStatus();
}

// A client with fewer than t sharing neighbours would refuse its boxes, and nobody could rebuild
// its mask key: it is left out before anyone masks with it. Leaving one out can make the next one
// lonely.
void ServerSession::State::ExcludeLonelySharers() {
  for (bool changed = true; changed;) {
    changed = false;
    for (Member& member : members) {
      if (!member.in_u1) {
        continue;
      }
      const auto sharing = std::count_if(member.neighbours.begin(), member.neighbours.end(),
                                         [this](Index peer) { return members[peer].in_u1; });
      if (static_cast<std::uint64_t>(sharing) < graph.threshold) {
        member.in_u1 = false;
        changed = true;
      }
    }
  }
}

Status ServerSession::CloseShares() {
  State& state = *state_;
  TUTTI_TRY(state.Expect(ServerStep::kSharing, "closing the share lists"));
  for (Member& member : state.members) {
    member.in_u1 = member.shares.has_value();
  }
  state.ExcludeLonelySharers();
  const std::size_t left = Sharers().size();
  if (left < state.SurvivorsNeeded()) {
    for (Member& member : state.members) {
      member.in_u1 = false;
    }
    return FailedPrecondition(tutti::Join("only ", left, " of ", state.Size(),
                                          " clients can go on after sharing, expected at least ",
                                          state.SurvivorsNeeded()));
  }
  for (Member& member : state.members) {
    std::copy_if(member.neighbours.begin(), member.neighbours.end(),
                 std::back_inserter(member.peers),
                 [&state](Index peer) { return state.members[peer].in_u1; });
  }
  state.step = ServerStep::kMasking;
  return OkStatus();
}

StatusOr<Boxes> ServerSession::BoxesFor(const ClientId& client) const {
  const State& state = *state_;
  TUTTI_TRY(state.NotBefore(ServerStep::kMasking, "the boxes"));
  TUTTI_ASSIGN(const Index index, state.PlaceOf(client));
  if (!state.members[index].in_u1) {
    return NotFound(tutti::Join(Named(client), " is not among the clients that shared"));
  }
  Boxes boxes;
  for (const Index peer : state.members[index].peers) {
    ShareBox box = state.BoxFromTo(state.members[peer], index);
    box.peer = peer;
    boxes.boxes.push_back(box);
  }
  return boxes;
}

}  // namespace tutti::secagg

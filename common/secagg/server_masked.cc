// ServerSession, steps 2 and 3: whose vectors are in the sum, and everyone's commit to that set.
#include <algorithm>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/chunks.h"
#include "common/secagg/server_state.h"

namespace tutti::secagg {

Status ServerSession::State::CheckHeader(Index index, const MaskedHeader& header) const {
  const Member& member = members[index];
  if (!member.in_u1) {
    return FailedPrecondition(
        tutti::Join("LATE: ", Named(member.client), " is not among the clients that shared"));
  }
  if (const std::uint64_t bytes = config.layout().wire_bytes(); header.bytes != bytes) {
    return InvalidArgument(tutti::Join(Named(member.client), " announced a vector of ",
                                       header.bytes, " bytes, the round's has ", bytes));
  }
  if (header.chunks.size() != ChunkCount(header.bytes) ||
      ChunkRoot(header.bytes, header.chunks) != header.root) {
    return InvalidArgument(tutti::Join(Named(member.client), "'s ", header.chunks.size(),
                                       " chunk digests do not make the root it announced"));
  }
  if (IsMalicious() && member.checked_header != header &&
      !crypto::Verify(member.signer.key, HeaderStatement(session, index, member.peers, header),
                      header.signature)) {
    return InvalidArgument(
        tutti::Join(Named(member.client), "'s header is not signed by its key for this vector"));
  }
  return OkStatus();
}

Status ServerSession::CheckHeader(const ClientId& client, const MaskedHeader& header) const {
  State& state = *state_;
  TUTTI_TRY(state.NotBefore(ServerStep::kMasking, "a masked vector"));
  TUTTI_ASSIGN(const Index index, state.PlaceOf(client));
  Member& member = state.members[index];
  if (member.header.has_value()) {
    return header == *member.header
               ? OkStatus()
               : AlreadyExists(tutti::Join("CONFLICT: a second masked vector of ", Named(client),
                                           " differs"));
  }
  TUTTI_TRY(state.Expect(ServerStep::kMasking, "a masked vector"));
  TUTTI_TRY(state.CheckHeader(index, header));
  member.checked_header = header;
  return OkStatus();
}

Status ServerSession::AddMasked(const ClientId& client, const MaskedHeader& header) {
  TUTTI_TRY(CheckHeader(client, header));
  State& state = *state_;
  Member& member = state.members[state.places.at(client)];
  if (!member.header.has_value()) {
    member.header = header;
    ++state.masked;
  }
  return OkStatus();
}

Status ServerSession::CloseMasked() {
  State& state = *state_;
  TUTTI_TRY(state.Expect(ServerStep::kMasking, "closing the masked vectors"));
  if (state.masked < state.SurvivorsNeeded()) {
    return FailedPrecondition(tutti::Join("only ", state.masked,
                                          " masked vectors arrived, expected at least ",
                                          state.SurvivorsNeeded()));
  }
  for (const Member& member : state.members) {
    const auto holders = std::count_if(member.peers.begin(), member.peers.end(), [&](Index peer) {
      return state.members[peer].header.has_value();
    });
    const bool needed = member.header.has_value() || (member.in_u1 && holders > 0);
    if (needed && static_cast<std::uint64_t>(holders) < state.graph.threshold) {
      return FailedPrecondition(tutti::Join("of ", Named(member.client), "'s neighbours only ",
                                            holders, " are left, its secret needs ",
                                            state.graph.threshold));
    }
  }
  for (Member& member : state.members) {
    member.in_u2 = member.header.has_value();
  }
  state.step = state.IsMalicious() ? ServerStep::kCommitting : ServerStep::kUnmasking;
  return OkStatus();
}

StatusOr<Survivors> ServerSession::SurvivorsMessage() const {
  const State& state = *state_;
  TUTTI_TRY(state.NotBefore(ServerStep::kCommitting, "the survivor set"));
  Survivors survivors{EmptyBitmap(state.Size())};
  for (Index index = 0; index < state.Size(); ++index) {
    if (state.members[index].in_u2) {
      SetBit(survivors.bitmap, index);
    }
  }
  return survivors;
}

Status ServerSession::AddCommit(const ClientId& client, const Commit& commit) {
  State& state = *state_;
  if (!state.IsMalicious()) {
    return InvalidArgument(tutti::Join(Named(client), " sent a commit, level curious has none"));
  }
  TUTTI_TRY(state.NotBefore(ServerStep::kCommitting, "a commit"));
  TUTTI_ASSIGN(const Index index, state.PlaceOf(client));
  Member& member = state.members[index];
  if (member.commit.has_value()) {
    return commit == *member.commit ? OkStatus()
                                    : AlreadyExists(tutti::Join("CONFLICT: a second commit of ",
                                                                Named(client), " differs"));
  }
  TUTTI_TRY(state.Expect(ServerStep::kCommitting, "a commit"));
  if (!member.in_u2) {
    return InvalidArgument(
        tutti::Join(Named(client), " sent a commit and is not in the survivor set"));
  }
  TUTTI_ASSIGN(const Survivors survivors, SurvivorsMessage());
  if (!crypto::Verify(member.signer.key,
                      CommitStatement(state.session, crypto::Sha256(survivors.bitmap)),
                      commit.signature)) {
    return InvalidArgument(
        tutti::Join(Named(client), "'s commit does not sign this round's survivor set"));
  }
  member.commit = commit;
  ++state.committed;
  return OkStatus();
}

Status ServerSession::CloseCommits() {
  State& state = *state_;
  TUTTI_TRY(state.Expect(ServerStep::kCommitting, "closing the commits"));
  if (state.committed < state.CommitsNeeded()) {
    return FailedPrecondition(tutti::Join(
        "only ", state.committed, " clients committed to the survivor set, expected at least ",
        state.CommitsNeeded()));
  }
  state.step = ServerStep::kUnmasking;
  return OkStatus();
}

// As many commits as needed, of the receiver's neighbours first: their joins it has, so index and
// signature will do.
StatusOr<CommitCertificate> ServerSession::CertificateFor(const ClientId& client) const {
  const State& state = *state_;
  if (!state.IsMalicious()) {
    return FailedPrecondition("level curious has no commit certificate");
  }
  TUTTI_TRY(state.NotBefore(ServerStep::kUnmasking, "the commit certificate"));
  TUTTI_ASSIGN(const Index own, state.PlaceOf(client));
  if (!state.members[own].in_u2) {
    return NotFound(tutti::Join(Named(client), " is not in the survivor set"));
  }
  std::vector<Index> in_proof = state.KnownTo(own);
  const std::vector<Index> known = in_proof;
  CommitCertificate certificate;
  for (const bool known_to_receiver : {true, false}) {
    for (Index index = 0; index < state.Size(); ++index) {
      const Member& signer = state.members[index];
      if (certificate.commits.size() == state.CommitsNeeded() || !signer.commit.has_value() ||
          std::binary_search(known.begin(), known.end(), index) != known_to_receiver) {
        continue;
      }
      CommitEntry entry{.index = index, .join = {}, .signature = signer.commit->signature};
      if (!known_to_receiver) {
        entry.join = signer.join;
        in_proof.push_back(index);
      }
      certificate.commits.push_back(std::move(entry));
    }
  }
  std::sort(certificate.commits.begin(), certificate.commits.end(),
            [](const CommitEntry& a, const CommitEntry& b) { return a.index < b.index; });
  std::sort(in_proof.begin(), in_proof.end());
  certificate.proof = state.tree->ProofOf(std::move(in_proof));
  return certificate;
}

}  // namespace tutti::secagg

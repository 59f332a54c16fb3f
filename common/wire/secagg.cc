#include "common/wire/secagg.h"

#include <string>

#include "common/base/text.h"
#include "common/secagg/config.h"

namespace tutti::wire {
namespace {

std::string Text(BytesView bytes) { return ToString(bytes); }

// A field that is either absent (all zeros in the domain type: level curious) or exactly N bytes.
template <std::size_t N>
StatusOr<ByteArray<N>> OptionalArray(const std::string& field, std::string_view what) {
  if (field.empty()) {
    return ByteArray<N>{};
  }
  return ToArray<N>(AsBytes(field), what);
}

template <std::size_t N>
std::string OptionalText(const ByteArray<N>& bytes) {
  return bytes == ByteArray<N>{} ? std::string() : Text(bytes);
}

Status CheckCount(std::string_view what, int count, int most) {
  if (count > most) {
    return InvalidArgument(
        Join(what, " lists ", count, " entries, at most ", most, " are allowed"));
  }
  return OkStatus();
}

Status CheckIndex(std::string_view what, std::uint32_t index) {
  if (index >= secagg::kMaxCohort) {
    return InvalidArgument(
        Join(what, " is ", index, ", the largest cohort has ", secagg::kMaxCohort));
  }
  return OkStatus();
}

template <typename Repeated>
StatusOr<std::vector<Digest>> PathFrom(const Repeated& path) {
  TUTTI_TRY(CheckCount("merkle path", path.size(), kMaxPathLength));
  std::vector<Digest> out;
  out.reserve(static_cast<std::size_t>(path.size()));
  for (const std::string& node : path) {
    TUTTI_ASSIGN(const Digest digest, ToArray<32>(AsBytes(node), "merkle path node"));
    out.push_back(digest);
  }
  return out;
}

// Boxes of one sender or for one receiver: bounded, ascending and distinct peers.
template <typename Repeated>
StatusOr<std::vector<secagg::ShareBox>> BoxesFrom(const Repeated& boxes) {
  TUTTI_TRY(CheckCount("share box list", boxes.size(), kMaxNeighbours));
  std::vector<secagg::ShareBox> out;
  out.reserve(static_cast<std::size_t>(boxes.size()));
  for (const v1::ShareBox& box : boxes) {
    TUTTI_TRY(CheckIndex("share box peer", box.peer()));
    if (!out.empty() && box.peer() <= out.back().peer) {
      return InvalidArgument(Join("share boxes are not in ascending order: peer ", box.peer(),
                                  " after ", out.back().peer));
    }
    secagg::ShareBox value;
    value.peer = box.peer();
    TUTTI_ASSIGN(value.ciphertext,
                 ToArray<secagg::kShareBoxBytes>(AsBytes(box.ciphertext()), "share box"));
    TUTTI_ASSIGN(value.share_hash, ToArray<16>(AsBytes(box.share_hash()), "share hash"));
    out.push_back(value);
  }
  return out;
}

template <typename Repeated>
void BoxesTo(const std::vector<secagg::ShareBox>& boxes, Repeated* out) {
  out->Reserve(static_cast<int>(boxes.size()));
  for (const secagg::ShareBox& box : boxes) {
    v1::ShareBox* entry = out->Add();
    entry->set_peer(box.peer);
    entry->set_ciphertext(Text(box.ciphertext));
    entry->set_share_hash(Text(box.share_hash));
  }
}

}  // namespace

void ToProto(const secagg::Join& join, v1::JoinMessage* out) {
  out->set_box_key(Text(join.box_key));
  out->set_mask_key(Text(join.mask_key));
  out->set_seed_commitment(Text(join.seed_commitment));
  out->set_nonce(Text(join.nonce));
  out->set_certificate(Text(join.certificate));
  out->set_signature(OptionalText(join.signature));
}

StatusOr<secagg::Join> FromProto(const v1::JoinMessage& message) {
  secagg::Join join;
  TUTTI_ASSIGN(join.box_key, ToArray<32>(AsBytes(message.box_key()), "box key"));
  TUTTI_ASSIGN(join.mask_key, ToArray<32>(AsBytes(message.mask_key()), "mask key"));
  TUTTI_ASSIGN(join.seed_commitment,
               ToArray<32>(AsBytes(message.seed_commitment()), "seed commitment"));
  TUTTI_ASSIGN(join.nonce, ToArray<16>(AsBytes(message.nonce()), "join nonce"));
  if (message.certificate().size() > kMaxCertificateBytes) {
    return InvalidArgument(tutti::Join("certificate has ", message.certificate().size(),
                                       " bytes, at most ", kMaxCertificateBytes, " are allowed"));
  }
  join.certificate = ToBytes(AsBytes(message.certificate()));
  TUTTI_ASSIGN(join.signature, OptionalArray<64>(message.signature(), "join signature"));
  return join;
}

void ToProto(const secagg::Roster& roster, v1::RosterMessage* out) {
  out->set_size(roster.size);
  out->set_root(Text(roster.root));
  out->set_own_index(roster.own_index);
  for (const secagg::RosterEntry& entry : roster.entries) {
    v1::RosterEntry* added = out->add_entries();
    added->set_index(entry.index);
    ToProto(entry.join, added->mutable_join());
    for (const Digest& node : entry.path) {
      added->add_path(Text(node));
    }
  }
}

StatusOr<secagg::Roster> FromProto(const v1::RosterMessage& message) {
  if (message.size() > secagg::kMaxCohort) {
    return InvalidArgument(Join("roster of ", message.size(), " clients, at most ",
                                secagg::kMaxCohort, " are allowed"));
  }
  TUTTI_TRY(CheckIndex("own index", message.own_index()));
  TUTTI_TRY(CheckCount("roster", message.entries_size(), kMaxNeighbours + 1));
  secagg::Roster roster;
  roster.size = message.size();
  TUTTI_ASSIGN(roster.root, ToArray<32>(AsBytes(message.root()), "roster root"));
  roster.own_index = message.own_index();
  roster.entries.reserve(static_cast<std::size_t>(message.entries_size()));
  for (const v1::RosterEntry& entry : message.entries()) {
    TUTTI_TRY(CheckIndex("roster entry index", entry.index()));
    secagg::RosterEntry value;
    value.index = entry.index();
    TUTTI_ASSIGN(value.join, FromProto(entry.join()));
    TUTTI_ASSIGN(value.path, PathFrom(entry.path()));
    roster.entries.push_back(std::move(value));
  }
  return roster;
}

void ToProto(const secagg::Shares& shares, v1::ShareMessage* out) {
  BoxesTo(shares.boxes, out->mutable_boxes());
  out->set_signature(OptionalText(shares.signature));
}

StatusOr<secagg::Shares> FromProto(const v1::ShareMessage& message) {
  secagg::Shares shares;
  TUTTI_ASSIGN(shares.boxes, BoxesFrom(message.boxes()));
  TUTTI_ASSIGN(shares.signature, OptionalArray<64>(message.signature(), "share list signature"));
  return shares;
}

void ToProto(const secagg::Boxes& boxes, v1::BoxesMessage* out) {
  BoxesTo(boxes.boxes, out->mutable_boxes());
}

StatusOr<secagg::Boxes> FromProto(const v1::BoxesMessage& message) {
  secagg::Boxes boxes;
  TUTTI_ASSIGN(boxes.boxes, BoxesFrom(message.boxes()));
  return boxes;
}

void ToProto(const secagg::MaskedHeader& header, v1::MaskedHeader* out) {
  out->set_lanes(header.lanes);
  out->set_digest(Text(header.digest));
  out->set_signature(OptionalText(header.signature));
}

StatusOr<secagg::MaskedHeader> FromProto(const v1::MaskedHeader& message) {
  secagg::MaskedHeader header;
  header.lanes = message.lanes();
  if (header.lanes > secagg::kMaxValues + secagg::kMaxExtraLanes) {
    return InvalidArgument(Join("vector of ", header.lanes, " lanes, at most ",
                                secagg::kMaxValues + secagg::kMaxExtraLanes, " are allowed"));
  }
  TUTTI_ASSIGN(header.digest, ToArray<32>(AsBytes(message.digest()), "vector digest"));
  TUTTI_ASSIGN(header.signature, OptionalArray<64>(message.signature(), "header signature"));
  return header;
}

void ToProto(const secagg::Survivors& survivors, v1::SurvivorsMessage* out) {
  out->set_bitmap(Text(survivors.bitmap));
}

StatusOr<secagg::Survivors> FromProto(const v1::SurvivorsMessage& message) {
  constexpr std::size_t kMost = (secagg::kMaxCohort + 7) / 8;
  if (message.bitmap().size() > kMost) {
    return InvalidArgument(Join("survivor bitmap has ", message.bitmap().size(), " bytes, at most ",
                                kMost, " are allowed"));
  }
  return secagg::Survivors{.bitmap = ToBytes(AsBytes(message.bitmap()))};
}

void ToProto(const secagg::Commit& commit, v1::CommitMessage* out) {
  out->set_signature(Text(commit.signature));
}

StatusOr<secagg::Commit> FromProto(const v1::CommitMessage& message) {
  secagg::Commit commit;
  TUTTI_ASSIGN(commit.signature, ToArray<64>(AsBytes(message.signature()), "commit signature"));
  return commit;
}

void ToProto(const secagg::CommitCertificate& certificate, v1::CertificateMessage* out) {
  for (const secagg::CommitEntry& commit : certificate.commits) {
    v1::CommitEntry* entry = out->add_commits();
    entry->set_index(commit.index);
    ToProto(commit.join, entry->mutable_join());
    for (const Digest& node : commit.path) {
      entry->add_path(Text(node));
    }
    entry->set_signature(Text(commit.signature));
  }
}

StatusOr<secagg::CommitCertificate> FromProto(const v1::CertificateMessage& message) {
  TUTTI_TRY(CheckCount("commit certificate", message.commits_size(), kMaxCommits));
  secagg::CommitCertificate certificate;
  certificate.commits.reserve(static_cast<std::size_t>(message.commits_size()));
  for (const v1::CommitEntry& entry : message.commits()) {
    TUTTI_TRY(CheckIndex("commit index", entry.index()));
    secagg::CommitEntry commit;
    commit.index = entry.index();
    TUTTI_ASSIGN(commit.join, FromProto(entry.join()));
    TUTTI_ASSIGN(commit.path, PathFrom(entry.path()));
    TUTTI_ASSIGN(commit.signature, ToArray<64>(AsBytes(entry.signature()), "commit signature"));
    certificate.commits.push_back(std::move(commit));
  }
  return certificate;
}

void ToProto(const secagg::Unmask& unmask, v1::UnmaskMessage* out) {
  for (const secagg::RevealedShare& share : unmask.shares) {
    v1::RevealedShare* entry = out->add_shares();
    entry->set_owner(share.owner);
    entry->set_is_mask_key(share.is_mask_key);
    entry->set_share(Text(share.share));
  }
}

StatusOr<secagg::Unmask> FromProto(const v1::UnmaskMessage& message) {
  TUTTI_TRY(CheckCount("unmask message", message.shares_size(), kMaxNeighbours));
  secagg::Unmask unmask;
  unmask.shares.reserve(static_cast<std::size_t>(message.shares_size()));
  for (const v1::RevealedShare& entry : message.shares()) {
    TUTTI_TRY(CheckIndex("share owner", entry.owner()));
    secagg::RevealedShare share;
    share.owner = entry.owner();
    share.is_mask_key = entry.is_mask_key();
    TUTTI_ASSIGN(share.share, ToArray<32>(AsBytes(entry.share()), "revealed share"));
    unmask.shares.push_back(share);
  }
  return unmask;
}

}  // namespace tutti::wire

#include "common/wire/secagg.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "common/base/text.h"
#include "common/secagg/chunks.h"
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

// A field of `count` items of N bytes, one after the other.
template <std::size_t N>
StatusOr<std::vector<ByteArray<N>>> PackedFrom(const std::string& field, std::size_t count,
                                               std::string_view what) {
  if (field.size() != count * N) {
    return InvalidArgument(
        Join(what, " have ", field.size(), " bytes, expected ", count, " times ", N, " bytes"));
  }
  std::vector<ByteArray<N>> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::copy_n(field.begin() + static_cast<std::ptrdiff_t>(i * N), N, out[i].begin());
  }
  return out;
}

template <std::size_t N>
void Pack(const ByteArray<N>& item, std::string* field) {
  field->append(AsText(item));
}

void PackProof(const std::vector<Digest>& proof, std::string* field) {
  for (const Digest& node : proof) {
    Pack(node, field);
  }
}

StatusOr<std::vector<Digest>> ProofFrom(const std::string& field) {
  const std::size_t nodes = field.size() / 32;
  if (nodes > secagg::kMaxCohort) {
    return InvalidArgument(
        Join("proof has ", nodes, " nodes, at most ", secagg::kMaxCohort, " are allowed"));
  }
  return PackedFrom<32>(field, nodes, "proof nodes");
}

// Indices of clients: bounded, ascending and distinct.
template <typename Repeated>
Status CheckIndices(std::string_view what, const Repeated& indices) {
  TUTTI_TRY(CheckCount(what, indices.size(), kMaxNeighbours));
  for (int i = 0; i < indices.size(); ++i) {
    TUTTI_TRY(CheckIndex(what, indices[i]));
    if (i > 0 && indices[i] <= indices[i - 1]) {
      return InvalidArgument(
          Join(what, " are not in ascending order: ", indices[i], " after ", indices[i - 1]));
    }
  }
  return OkStatus();
}

StatusOr<std::vector<secagg::ShareBox>> BoxesFrom(const v1::ShareBoxes& boxes) {
  TUTTI_TRY(CheckIndices("peers of share boxes", boxes.peers()));
  const auto count = static_cast<std::size_t>(boxes.peers_size());
  TUTTI_ASSIGN(const auto ciphertexts,
               PackedFrom<secagg::kShareBoxBytes>(boxes.ciphertexts(), count, "share boxes"));
  TUTTI_ASSIGN(const auto hashes, PackedFrom<16>(boxes.share_hashes(), count, "share hashes"));
  std::vector<secagg::ShareBox> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {.peer = boxes.peers(static_cast<int>(i)),
              .ciphertext = ciphertexts[i],
              .share_hash = hashes[i]};
  }
  return out;
}

void BoxesTo(const std::vector<secagg::ShareBox>& boxes, v1::ShareBoxes* out) {
  for (const secagg::ShareBox& box : boxes) {
    out->add_peers(box.peer);
    Pack(box.ciphertext, out->mutable_ciphertexts());
    Pack(box.share_hash, out->mutable_share_hashes());
  }
}

bool IsKeysOnly(const secagg::Join& join) {
  secagg::Join keys;
  keys.box_key = join.box_key;
  keys.mask_key = join.mask_key;
  return join == keys;
}

StatusOr<std::vector<secagg::Join>> JoinsFrom(const v1::RosterMessage& message) {
  const auto count = static_cast<std::size_t>(message.neighbours_size());
  std::vector<secagg::Join> joins(count);
  if (message.joins_size() == 0) {
    TUTTI_ASSIGN(const auto keys, PackedFrom<32>(message.keys(), 2 * count, "roster keys"));
    for (std::size_t i = 0; i < count; ++i) {
      joins[i].box_key = keys[2 * i];
      joins[i].mask_key = keys[2 * i + 1];
    }
    return joins;
  }
  if (static_cast<std::size_t>(message.joins_size()) != count || !message.keys().empty()) {
    return InvalidArgument(Join("roster of ", count, " neighbours has ", message.joins_size(),
                                " joins and ", message.keys().size(),
                                " bytes of keys, expected one of both for each neighbour"));
  }
  for (std::size_t i = 0; i < count; ++i) {
    TUTTI_ASSIGN(joins[i], FromProto(message.joins(static_cast<int>(i))));
  }
  return joins;
}

void RevealedTo(const secagg::RevealedShare& share, v1::RevealedShares* out) {
  out->add_owners(share.owner);
  Pack(share.share, out->mutable_shares());
}

StatusOr<std::vector<secagg::RevealedShare>> RevealedFrom(const v1::RevealedShares& revealed,
                                                          bool is_mask_key) {
  TUTTI_TRY(CheckIndices("owners of revealed shares", revealed.owners()));
  const auto count = static_cast<std::size_t>(revealed.owners_size());
  TUTTI_ASSIGN(const auto shares, PackedFrom<32>(revealed.shares(), count, "revealed shares"));
  std::vector<secagg::RevealedShare> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {.owner = revealed.owners(static_cast<int>(i)),
              .is_mask_key = is_mask_key,
              .share = shares[i]};
  }
  return out;
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
  const bool keys_only =
      std::all_of(roster.entries.begin(), roster.entries.end(),
                  [](const secagg::RosterEntry& entry) { return IsKeysOnly(entry.join); });
  for (const secagg::RosterEntry& entry : roster.entries) {
    out->add_neighbours(entry.index);
    if (keys_only) {
      Pack(entry.join.box_key, out->mutable_keys());
      Pack(entry.join.mask_key, out->mutable_keys());
    } else {
      ToProto(entry.join, out->add_joins());
    }
  }
  PackProof(roster.proof, out->mutable_proof());
}

StatusOr<secagg::Roster> FromProto(const v1::RosterMessage& message) {
  if (message.size() > secagg::kMaxCohort) {
    return InvalidArgument(Join("roster of ", message.size(), " clients, at most ",
                                secagg::kMaxCohort, " are allowed"));
  }
  TUTTI_TRY(CheckIndex("own index", message.own_index()));
  TUTTI_TRY(CheckIndices("neighbours in a roster", message.neighbours()));
  secagg::Roster roster;
  roster.size = message.size();
  TUTTI_ASSIGN(roster.root, ToArray<32>(AsBytes(message.root()), "roster root"));
  roster.own_index = message.own_index();
  TUTTI_ASSIGN(std::vector<secagg::Join> joins, JoinsFrom(message));
  for (std::size_t i = 0; i < joins.size(); ++i) {
    roster.entries.push_back(
        {.index = message.neighbours(static_cast<int>(i)), .join = std::move(joins[i])});
  }
  TUTTI_ASSIGN(roster.proof, ProofFrom(message.proof()));
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
  out->set_bytes(header.bytes);
  for (const Digest& digest : header.chunks) {
    Pack(digest, out->mutable_chunks());
  }
  out->set_root(Text(header.root));
  out->set_signature(OptionalText(header.signature));
}

StatusOr<secagg::MaskedHeader> FromProto(const v1::MaskedHeader& message) {
  secagg::MaskedHeader header;
  header.bytes = message.bytes();
  if (header.bytes > kMaxVectorBytes) {
    return InvalidArgument(
        Join("vector of ", header.bytes, " bytes, at most ", kMaxVectorBytes, " are allowed"));
  }
  TUTTI_ASSIGN(header.chunks,
               PackedFrom<32>(message.chunks(), secagg::ChunkCount(header.bytes), "chunk digests"));
  TUTTI_ASSIGN(header.root, ToArray<32>(AsBytes(message.root()), "vector root"));
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
    if (commit.join != secagg::Join{}) {
      ToProto(commit.join, entry->mutable_join());
    }
    entry->set_signature(Text(commit.signature));
  }
  PackProof(certificate.proof, out->mutable_proof());
}

StatusOr<secagg::CommitCertificate> FromProto(const v1::CertificateMessage& message) {
  TUTTI_TRY(CheckCount("commit certificate", message.commits_size(), kMaxCommits));
  secagg::CommitCertificate certificate;
  certificate.commits.reserve(static_cast<std::size_t>(message.commits_size()));
  for (const v1::CommitEntry& entry : message.commits()) {
    TUTTI_TRY(CheckIndex("commit index", entry.index()));
    secagg::CommitEntry commit;
    commit.index = entry.index();
    if (entry.has_join()) {
      TUTTI_ASSIGN(commit.join, FromProto(entry.join()));
    }
    TUTTI_ASSIGN(commit.signature, ToArray<64>(AsBytes(entry.signature()), "commit signature"));
    certificate.commits.push_back(std::move(commit));
  }
  TUTTI_ASSIGN(certificate.proof, ProofFrom(message.proof()));
  return certificate;
}

void ToProto(const secagg::Unmask& unmask, v1::UnmaskMessage* out) {
  for (const secagg::RevealedShare& share : unmask.shares) {
    RevealedTo(share, share.is_mask_key ? out->mutable_mask_keys() : out->mutable_seeds());
  }
}

StatusOr<secagg::Unmask> FromProto(const v1::UnmaskMessage& message) {
  TUTTI_ASSIGN(const auto seeds, RevealedFrom(message.seeds(), false));
  TUTTI_ASSIGN(const auto mask_keys, RevealedFrom(message.mask_keys(), true));
  secagg::Unmask unmask;
  std::merge(seeds.begin(), seeds.end(), mask_keys.begin(), mask_keys.end(),
             std::back_inserter(unmask.shares),
             [](const secagg::RevealedShare& a, const secagg::RevealedShare& b) {
               return a.owner < b.owner;
             });
  return unmask;
}

}  // namespace tutti::wire

#include "common/secagg/binding.h"

#include <algorithm>
#include <bit>

#include "common/crypto/hash.h"
#include "common/secagg/merkle.h"

namespace tutti::secagg {
namespace {

ByteWriter Labelled(std::string_view label) {
  ByteWriter out;
  out.Raw(AsBytes(label));
  return out;
}

void WriteJoin(ByteWriter& out, const Join& join) {
  out.Raw(join.box_key);
  out.Raw(join.mask_key);
  out.Raw(join.seed_commitment);
  out.Raw(join.nonce);
  out.Sized(join.certificate);
}

crypto::MaskSeed MaskSeedFrom(const Secret32& pseudorandom_key, BytesView info) {
  // HKDF's first 16 bytes are the same whatever length is asked for.
  const Secret32 expanded = crypto::HkdfExpand32(pseudorandom_key, info);
  return crypto::MaskSeed(expanded.view().first<16>());
}

// A stream takes the secret as it lies: no copy of it stays behind in freed memory.
Digest HashWithSecret(BytesView context, BytesView secret) {
  crypto::Sha256Stream stream;
  stream.Update(context);
  stream.Update(secret);
  return stream.Finish();
}

Digest HashOfShare(const Digest& session, Index owner, Index holder, ShareKind kind,
                   BytesView share) {
  ByteWriter context = Labelled("tutti.secagg.v1/share-hash");
  context.Raw(session);
  context.U32(owner);
  context.U32(holder);
  context.U8(static_cast<std::uint8_t>(kind));
  return HashWithSecret(context.bytes(), share);
}

constexpr std::size_t kHalfHash = 8;

}  // namespace

Digest SeedCommitment(const Digest& config_hash, const Secret32& seed) {
  ByteWriter context = Labelled("tutti.secagg.v1/seed");
  context.Raw(config_hash);
  return HashWithSecret(context.bytes(), seed.view());
}

Bytes JoinStatement(const Digest& config_hash, const Join& join) {
  ByteWriter out = Labelled("tutti.secagg.v1/join");
  out.Raw(config_hash);
  WriteJoin(out, join);
  return out.Take();
}

Digest JoinLeaf(Index index, const Join& join) {
  ByteWriter out = Labelled("tutti.secagg.v1/leaf");
  out.U32(index);
  WriteJoin(out, join);
  out.Raw(join.signature);
  return MerkleLeaf(out.bytes());
}

Secret32 PairSecret(const Digest& session, const Secret32& agreed) {
  return crypto::HkdfExtract(session, agreed.view());
}

Secret32 BoxKey(const Secret32& pair_secret, Index from, Index to) {
  ByteWriter info = Labelled("tutti.secagg.v1/box");
  info.U32(from);
  info.U32(to);
  return crypto::HkdfExpand32(pair_secret, info.bytes());
}

Bytes BoxAssociatedData(const Digest& session, Index from, Index to) {
  ByteWriter out;
  out.Raw(session);
  out.Raw(AsBytes("share"));
  out.U32(from);
  out.U32(to);
  return out.Take();
}

crypto::MaskSeed PairMaskSeed(const Secret32& pair_secret, Index one, Index other) {
  ByteWriter info = Labelled("tutti.secagg.v1/pair");
  info.U32(std::min(one, other));
  info.U32(std::max(one, other));
  return MaskSeedFrom(pair_secret, info.bytes());
}

crypto::MaskSeed SelfMaskSeed(const Digest& session, const Secret32& seed, Index owner) {
  ByteWriter info = Labelled("tutti.secagg.v1/self");
  info.U32(owner);
  return MaskSeedFrom(crypto::HkdfExtract(session, seed.view()), info.bytes());
}

ByteArray<16> ShareHash(const Digest& session, Index owner, Index holder, BytesView seed_share,
                        BytesView mask_key_share) {
  const Digest seed = HashOfShare(session, owner, holder, ShareKind::kSeed, seed_share);
  const Digest key = HashOfShare(session, owner, holder, ShareKind::kMaskKey, mask_key_share);
  ByteArray<16> hash;
  std::copy_n(seed.begin(), kHalfHash, hash.begin());
  std::copy_n(key.begin(), kHalfHash, hash.begin() + kHalfHash);
  return hash;
}

bool ShareFitsHash(const ByteArray<16>& hash, const Digest& session, Index owner, Index holder,
                   ShareKind kind, BytesView share) {
  const Digest expected = HashOfShare(session, owner, holder, kind, share);
  const auto half = hash.begin() + (kind == ShareKind::kSeed ? 0 : kHalfHash);
  return std::equal(half, half + kHalfHash, expected.begin());
}

Bytes SharesStatement(const Digest& session, Index owner, std::span<const ShareBox> boxes) {
  ByteWriter out = Labelled("tutti.secagg.v1/shares");
  out.Raw(session);
  out.U32(owner);
  out.U32(static_cast<std::uint32_t>(boxes.size()));
  for (const ShareBox& box : boxes) {
    out.U32(box.peer);
    out.Raw(box.ciphertext);
    out.Raw(box.share_hash);
  }
  return out.Take();
}

Bytes HeaderStatement(const Digest& session, Index sender, std::span<const Index> peers,
                      const MaskedHeader& header) {
  ByteWriter out = Labelled("tutti.secagg.v1/masked");
  out.Raw(session);
  out.U32(sender);
  out.U32(static_cast<std::uint32_t>(peers.size()));
  for (const Index peer : peers) {
    out.U32(peer);
  }
  out.U64(header.bytes);
  out.Raw(header.root);
  return out.Take();
}

Bytes CommitStatement(const Digest& session, const Digest& survivor_set) {
  ByteWriter out = Labelled("tutti.secagg.v1/commit");
  out.Raw(session);
  out.Raw(survivor_set);
  return out.Take();
}

Bytes EmptyBitmap(std::uint32_t size) { return Bytes((size + 7) / 8, 0); }

void SetBit(Bytes& bitmap, Index index) {
  std::uint8_t& byte = bitmap[index / 8];
  byte = static_cast<std::uint8_t>(unsigned{byte} | (1U << (index % 8)));
}

bool TestBit(BytesView bitmap, Index index) {
  return index / 8 < bitmap.size() && ((unsigned{bitmap[index / 8]} >> (index % 8)) & 1U) != 0;
}

bool IsBitmapOf(BytesView bitmap, std::uint32_t size) {
  if (bitmap.size() != (size + 7) / 8) {
    return false;
  }
  return size % 8 == 0 || (unsigned{bitmap.back()} >> (size % 8)) == 0;
}

std::uint32_t CountBits(BytesView bitmap) {
  std::uint32_t count = 0;
  for (const std::uint8_t byte : bitmap) {
    count += static_cast<std::uint32_t>(std::popcount(byte));
  }
  return count;
}

}  // namespace tutti::secagg

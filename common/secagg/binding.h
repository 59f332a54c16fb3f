// Everything that is derived, hashed or signed in a round, with its label: the one place where the
// bytes are laid out (docs/protocol.md section 2). Integers are little-endian. Thread safety: pure
// functions.
#pragma once

#include <span>
#include <vector>

#include "common/base/secret.h"
#include "common/crypto/mask_stream.h"
#include "common/secagg/config.h"
#include "common/secagg/messages.h"

namespace tutti::secagg {

// ---- bound to the configuration, before there is a session id
Digest SeedCommitment(const Digest& config_hash, const Secret32& seed);
Bytes JoinStatement(const Digest& config_hash, const Join& join);  // what a join's signature signs
Digest JoinLeaf(Index index, const Join& join);                    // its leaf in the roster's tree

// ---- bound to the session id
// The secret both ends of a pair derive keys from.
Secret32 PairSecret(const Digest& session, const Secret32& agreed);
Secret32 BoxKey(const Secret32& pair_secret, Index from, Index to);
Bytes BoxAssociatedData(const Digest& session, Index from, Index to);
crypto::MaskSeed PairMaskSeed(const Secret32& pair_secret, Index one, Index other);
crypto::MaskSeed SelfMaskSeed(const Digest& session, const Secret32& seed, Index owner);

enum class ShareKind : std::uint8_t { kSeed = 0, kMaskKey = 1 };
// Eight bytes for each of the two shares in a box, because only one of them is ever opened.
ByteArray<16> ShareHash(const Digest& session, Index owner, Index holder, BytesView seed_share,
                        BytesView mask_key_share);
bool ShareFitsHash(const ByteArray<16>& hash, const Digest& session, Index owner, Index holder,
                   ShareKind kind, BytesView share);

Bytes SharesStatement(const Digest& session, Index owner, std::span<const ShareBox> boxes);
// `peers`: the sender's neighbours in U1, whose masks are in the vector, ascending.
Bytes HeaderStatement(const Digest& session, Index sender, std::span<const Index> peers,
                      const MaskedHeader& header);
Bytes CommitStatement(const Digest& session, const Digest& survivor_set);

// ---- sets over the roster: bit i % 8 of byte i / 8, unused bits zero
Bytes EmptyBitmap(std::uint32_t size);
void SetBit(Bytes& bitmap, Index index);
bool TestBit(BytesView bitmap, Index index);
// True when the length is right for `size` and no bit beyond it is set.
bool IsBitmapOf(BytesView bitmap, std::uint32_t size);
std::uint32_t CountBits(BytesView bitmap);

}  // namespace tutti::secagg

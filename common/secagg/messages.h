// The messages of one round as values. common/wire turns peers' bytes into these after checking
// every bound. Thread safety: value types.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/crypto/keys.h"

namespace tutti::secagg {

using Index = std::uint32_t;                       // a client's place in the roster, 0 .. n-1
inline constexpr std::size_t kShareBoxBytes = 80;  // two 32-byte shares and the tag

struct Join {
  crypto::X25519Public box_key{};
  crypto::X25519Public mask_key{};
  Digest seed_commitment{};
  ByteArray<16> nonce{};
  Bytes certificate;              // DER; empty at level curious
  crypto::Signature signature{};  // zeros at level curious
  bool operator==(const Join&) const = default;
};
struct RosterEntry {
  Index index = 0;
  // At level curious the two keys alone: who sends them follows the protocol and checked the rest.
  Join join;
  bool operator==(const RosterEntry&) const = default;
};
struct Roster {            // step 1, to one client
  std::uint32_t size = 0;  // n
  Digest root{};
  Index own_index = 0;
  std::vector<RosterEntry> entries;  // every neighbour, ascending index
  // Level malicious: leads from the joins of this client and its neighbours to the root.
  std::vector<Digest> proof;
  bool operator==(const Roster&) const = default;
};
struct ShareBox {
  Index peer = 0;  // on the way up: recipient; on the way down: owner
  ByteArray<kShareBoxBytes> ciphertext{};
  // Two 8-byte hashes, of the seed's share and of the mask key's: only one of the shares is ever
  // opened to the coordinator, so each is checked alone.
  ByteArray<16> share_hash{};
  bool operator==(const ShareBox&) const = default;
};
struct Shares {                 // step 1, from one client
  std::vector<ShareBox> boxes;  // one per neighbour, ascending recipient
  crypto::Signature signature{};
  bool operator==(const Shares&) const = default;
};
struct Boxes {                  // step 2, to one client
  std::vector<ShareBox> boxes;  // from each neighbour in U1, ascending owner
  bool operator==(const Boxes&) const = default;
};
struct MaskedHeader {          // step 2, from one client, before the vector
  std::uint64_t bytes = 0;     // of the vector as it travels
  std::vector<Digest> chunks;  // of its chunks (chunks.h)
  Digest root{};               // ChunkRoot of both
  crypto::Signature signature{};
  bool operator==(const MaskedHeader&) const = default;
};
struct Survivors {  // step 3, to everyone in U2
  Bytes bitmap;     // U2 over the roster, n bits
  bool operator==(const Survivors&) const = default;
};
struct Commit {  // step 3, from one client (level malicious)
  crypto::Signature signature{};
  bool operator==(const Commit&) const = default;
};
struct CommitEntry {
  Index index = 0;
  Join join;  // empty when the receiver knows the signer: itself or a neighbour
  crypto::Signature signature{};
  bool operator==(const CommitEntry&) const = default;
};
struct CommitCertificate {  // step 4, to everyone in U2 (level malicious)
  std::vector<CommitEntry> commits;
  // Leads from the joins of the receiver, its neighbours and the other signers to the root.
  std::vector<Digest> proof;
  bool operator==(const CommitCertificate&) const = default;
};
struct RevealedShare {
  Index owner = 0;
  // true: the owner dropped. false: the owner survived, and the share is of its self-mask seed.
  bool is_mask_key = false;
  ByteArray<32> share{};
  bool operator==(const RevealedShare&) const = default;
};
struct Unmask {  // step 4, from one client
  // One for each neighbour in U1 whose box was good, ascending owner; never both kinds of one
  // owner.
  std::vector<RevealedShare> shares;
  bool operator==(const Unmask&) const = default;
};

}  // namespace tutti::secagg

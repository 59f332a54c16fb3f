// Merkle tree over the roster: one root binds every client's join, and one proof shows that some
// joins are in it, each at one place of one size. Thread safety: pure functions. Source: the tree
// of RFC 9162 section 2.1 (leaf prefix 0, node prefix 1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"

namespace tutti::secagg {

Digest MerkleLeaf(BytesView content);

class MerkleTree {
 public:
  // At least one leaf, each made by MerkleLeaf.
  explicit MerkleTree(std::vector<Digest> leaves);
  const Digest& root() const { return levels_.back().front(); }
  // What leads from the leaves at `places` (ascending, distinct, at least one) to the root: level
  // by level, from left to right, each sibling that does not follow from the leaves.
  std::vector<Digest> ProofOf(std::vector<std::uint32_t> places) const;

 private:
  std::vector<std::vector<Digest>>
      levels_;  // leaves first; a last node without a sibling moves up unchanged
};

struct PlacedDigest {
  std::uint32_t place = 0;
  Digest digest{};
};

// True when each leaf is at its place of the tree of `size` leaves with this root. False, too, when
// the leaves are none or not in ascending order or the proof has a node too many or too few.
bool MerkleProofFits(const Digest& root, std::uint32_t size, std::vector<PlacedDigest> leaves,
                     std::span<const Digest> proof);

}  // namespace tutti::secagg

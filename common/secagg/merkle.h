// Merkle tree over the roster: one root binds every client's join, and a path of at most 14 digests
// shows that a join is in it at one place of one size. Thread safety: pure functions. Source: the
// tree of RFC 9162 section 2.1 (leaf prefix 0, node prefix 1).
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
  std::vector<Digest> PathOf(std::uint32_t index) const;

 private:
  std::vector<std::vector<Digest>>
      levels_;  // leaves first; a last node without a sibling moves up unchanged
};

// True when `leaf` is at `index` of the tree of `size` leaves with this root.
bool MerklePathFits(const Digest& root, std::uint32_t size, std::uint32_t index, const Digest& leaf,
                    std::span<const Digest> path);

}  // namespace tutti::secagg

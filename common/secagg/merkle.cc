#include "common/secagg/merkle.h"

#include <algorithm>

#include "common/crypto/hash.h"

namespace tutti::secagg {
namespace {

Digest Node(const Digest& left, const Digest& right) {
  ByteArray<65> bytes;
  bytes[0] = 1;
  std::copy(left.begin(), left.end(), bytes.begin() + 1);
  std::copy(right.begin(), right.end(), bytes.begin() + 33);
  return crypto::Sha256(bytes);
}

}  // namespace

Digest MerkleLeaf(BytesView content) {
  ByteWriter out;
  out.U8(0);
  out.Raw(content);
  return crypto::Sha256(out.bytes());
}

MerkleTree::MerkleTree(std::vector<Digest> leaves) {
  TUTTI_CHECK(!leaves.empty());
  levels_.push_back(std::move(leaves));
  while (levels_.back().size() > 1) {
    const std::vector<Digest>& below = levels_.back();
    std::vector<Digest> level;
    for (std::size_t i = 0; i + 1 < below.size(); i += 2) {
      level.push_back(Node(below[i], below[i + 1]));
    }
    if (below.size() % 2 == 1) {
      level.push_back(below.back());
    }
    levels_.push_back(std::move(level));
  }
}

std::vector<Digest> MerkleTree::PathOf(std::uint32_t index) const {
  std::vector<Digest> path;
  std::size_t place = index;
  for (std::size_t l = 0; l + 1 < levels_.size(); ++l, place /= 2) {
    const std::size_t sibling = place ^ 1;
    if (sibling < levels_[l].size()) {
      path.push_back(levels_[l][sibling]);
    }
  }
  return path;
}

bool MerklePathFits(const Digest& root, std::uint32_t size, std::uint32_t index, const Digest& leaf,
                    std::span<const Digest> path) {
  if (index >= size) {
    return false;
  }
  Digest node = leaf;
  std::size_t used = 0;
  std::uint32_t place = index;
  for (std::uint32_t width = size; width > 1; width = (width + 1) / 2, place /= 2) {
    if ((place ^ 1) >= width) {
      continue;  // the last node of an odd level has no sibling
    }
    if (used == path.size()) {
      return false;
    }
    node = place % 2 == 0 ? Node(node, path[used]) : Node(path[used], node);
    ++used;
  }
  return used == path.size() && node == root;
}

}  // namespace tutti::secagg

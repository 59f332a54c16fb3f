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

std::vector<Digest> MerkleTree::ProofOf(std::vector<std::uint32_t> places) const {
  std::vector<Digest> proof;
  for (std::size_t l = 0; l + 1 < levels_.size(); ++l) {
    std::vector<std::uint32_t> parents;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::uint32_t sibling = places[i] ^ 1;
      parents.push_back(places[i] / 2);
      if (i + 1 < places.size() && places[i + 1] == sibling) {
        ++i;
      } else if (sibling < levels_[l].size()) {
        proof.push_back(levels_[l][sibling]);
      }
    }
    places = std::move(parents);
  }
  return proof;
}

bool MerkleProofFits(const Digest& root, std::uint32_t size, std::vector<PlacedDigest> leaves,
                     std::span<const Digest> proof) {
  const auto out_of_order = [](const PlacedDigest& a, const PlacedDigest& b) {
    return a.place >= b.place;
  };
  if (leaves.empty() || leaves.back().place >= size ||
      std::adjacent_find(leaves.begin(), leaves.end(), out_of_order) != leaves.end()) {
    return false;
  }
  std::vector<PlacedDigest> nodes = std::move(leaves);
  for (std::uint32_t width = size; width > 1; width = (width + 1) / 2) {
    std::vector<PlacedDigest> parents;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto [place, digest] = nodes[i];
      const std::uint32_t sibling = place ^ 1;
      if (i + 1 < nodes.size() && nodes[i + 1].place == sibling) {
        ++i;
        parents.push_back({place / 2, Node(digest, nodes[i].digest)});
      } else if (sibling >= width) {
        parents.push_back({place / 2, digest});  // the last node of an odd level has no sibling
      } else if (proof.empty()) {
        return false;
      } else {
        parents.push_back({place / 2, place % 2 == 0 ? Node(digest, proof.front())
                                                     : Node(proof.front(), digest)});
        proof = proof.subspan(1);
      }
    }
    nodes = std::move(parents);
  }
  return proof.empty() && nodes.front().digest == root;
}

}  // namespace tutti::secagg

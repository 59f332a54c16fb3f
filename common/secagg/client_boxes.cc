// Step 2 of ClientSession: neighbours' shares are taken in, the masks are ready and the header is
// signed.
#include <algorithm>

#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/crypto/box.h"
#include "common/secagg/chunks.h"
#include "common/secagg/client_state.h"

namespace tutti::secagg {
namespace {

constexpr std::size_t kShareBytes = 32;

// Takes this client's two shares of `owner`'s secrets out of the box; false when the box or its
// hash is wrong.
bool OpenBox(const Digest& session, Index holder, const ShareBox& box, Neighbour& owner) {
  StatusOr<Bytes> opened =
      crypto::Open(BoxKey(owner.box_secret, owner.index, holder),
                   BoxAssociatedData(session, owner.index, holder), box.ciphertext);
  if (!opened.ok() || opened->size() != 2 * kShareBytes) {
    return false;
  }
  const std::span<const std::uint8_t> plain(*opened);
  const auto seed_share = plain.first<kShareBytes>();
  const auto key_share = plain.last<kShareBytes>();
  const bool fits =
      ShareHash(session, owner.index, holder, seed_share, key_share) == box.share_hash ||
      !Guard("boxes.share_hash");
  if (fits) {
    owner.seed_share = Secret32(seed_share);
    owner.mask_key_share = Secret32(key_share);
  }
  Wipe(opened->data(), opened->size());
  return fits;
}

}  // namespace

Status ClientSession::OnBoxes(const Boxes& boxes) {
  State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (!state.shares.has_value() && Guard("order.boxes")) {
    return state.OutOfOrder("boxes came before a roster was answered");
  }
  if (state.boxes.has_value()) {
    return boxes == *state.boxes || !Guard("conflict.boxes")
               ? OkStatus()
               : state.Conflict("second boxes differ from the ones already opened");
  }
  if (Status opened = state.OpenBoxes(boxes); !opened.ok()) {
    return state.Reject("BOXES_REJECTED", opened);
  }
  state.boxes = boxes;
  state.PrepareMasks();
  return OkStatus();
}

Status ClientSession::State::OpenBoxes(const Boxes& candidate) {
  const Neighbour* last = nullptr;
  std::uint32_t failed = 0;
  for (const ShareBox& box : candidate.boxes) {
    Neighbour* owner = FindNeighbour(box.peer);
    if (owner == nullptr) {
      if (!Guard("boxes.stranger")) continue;
      return InvalidArgument(tutti::Join("a box is of client ", box.peer, ", who is no neighbour"));
    }
    if (last != nullptr && owner->index <= last->index && Guard("boxes.order")) {
      return InvalidArgument(tutti::Join("the box of client ", box.peer, " follows that of client ",
                                         last->index, ", expected ascending owners"));
    }
    last = owner;
    owner->in_u1 = true;
    owner->holds_shares = OpenBox(session, index, box, *owner);
    failed += owner->holds_shares ? 0 : 1;
  }
  if (candidate.boxes.size() < graph.threshold && Guard("boxes.few")) {
    return InvalidArgument(tutti::Join("boxes of ", candidate.boxes.size(),
                                       " neighbours, expected at least ", graph.threshold));
  }
  // A bad box costs its owner one share. With this many bad ones the coordinator or the network is
  // at fault.
  if (failed > graph.neighbours - graph.threshold && Guard("boxes.opened")) {
    return InvalidArgument(tutti::Join(failed,
                                       " boxes do not open or do not fit their hashes, at most ",
                                       graph.neighbours - graph.threshold, " may"));
  }
  return OkStatus();
}

void ClientSession::State::PrepareMasks() {
  masks.push_back({.key = crypto::MaskKey(self_mask_seed), .subtract = false});
  for (Neighbour& neighbour : neighbours) {
    if (neighbour.in_u1) {
      masks.push_back(
          {.key = crypto::MaskKey(neighbour.mask_seed), .subtract = neighbour.index < index});
    }
    neighbour.mask_seed.Clear();
    neighbour.box_secret.Clear();
  }
  self_mask_seed.Clear();
}

std::size_t ClientSession::MaskingPeers() const {
  return state_->masks.empty() ? 0 : state_->masks.size() - 1;
}

Status ClientSession::AddMasks(RingVector& vector) const {
  const State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (state.masks.empty() && Guard("order.masks")) {
    return FailedPrecondition(
        "OUT_OF_ORDER: masks exist between the boxes and the unmask answer only");
  }
  const RingLayout layout = state.config.layout();
  if (vector.layout() != layout) {
    return InvalidArgument(tutti::Join("a vector of ", vector.layout().positions(), " lanes of ",
                                       vector.layout().bits, " bits is not one of the round's ",
                                       layout.positions(), " lanes of ", layout.bits, " bits"));
  }
  return vector.AddMasks(state.masks, vector.first(), vector.count());
}

StatusOr<MaskedHeader> ClientSession::HeaderFor(BytesView wire) {
  State& state = *state_;
  TUTTI_TRY(state.Alive());
  MaskedHeader header = UnsignedHeader(wire);
  if (state.header.has_value()) {
    if (state.header->root == header.root || !Guard("conflict.vector")) {
      return *state.header;
    }
    // The caller's mistake, not the coordinator's: the session lives on, a second vector does not
    // leave.
    return FailedPrecondition("CONFLICT: another masked vector was announced in this session");
  }
  if (!state.boxes.has_value() && Guard("order.vector")) {
    return FailedPrecondition("OUT_OF_ORDER: a masked vector exists after the boxes only");
  }
  if (const std::uint64_t expected = state.config.layout().wire_bytes(); wire.size() != expected) {
    return InvalidArgument(
        tutti::Join("a vector of ", wire.size(), " bytes, the round's has ", expected));
  }
  if (state.IsMalicious()) {
    const std::vector<Index> peers = state.MaskedPeers();
    header.signature =
        crypto::Sign(state.signing_key, HeaderStatement(state.session, state.index, peers, header));
  }
  state.header = header;
  return header;
}

}  // namespace tutti::secagg

// Step 2 of ClientSession: neighbours' shares are taken in, the masks are ready and the header is
// signed.
#include <algorithm>

#include "common/base/text.h"
#include "common/crypto/box.h"
#include "common/secagg/client_state.h"

namespace tutti::secagg {
namespace {

constexpr std::size_t kShareBytes = 32;
constexpr std::size_t kRangeLanes =
    8192;  // 32 KiB: stays in the first-level cache while all masks pass

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
      ShareHash(session, owner.index, holder, seed_share, key_share) == box.share_hash;
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
  if (!state.shares.has_value()) {
    return state.OutOfOrder("boxes came before a roster was answered");
  }
  if (state.boxes.has_value()) {
    return boxes == *state.boxes
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
      return InvalidArgument(tutti::Join("a box is of client ", box.peer, ", who is no neighbour"));
    }
    if (last != nullptr && owner->index <= last->index) {
      return InvalidArgument(tutti::Join("the box of client ", box.peer, " follows that of client ",
                                         last->index, ", expected ascending owners"));
    }
    last = owner;
    owner->in_u1 = true;
    owner->holds_shares = OpenBox(session, index, box, *owner);
    failed += owner->holds_shares ? 0 : 1;
  }
  if (candidate.boxes.size() < graph.threshold) {
    return InvalidArgument(tutti::Join("boxes of ", candidate.boxes.size(),
                                       " neighbours, expected at least ", graph.threshold));
  }
  // A bad box costs its owner one share. With this many bad ones the coordinator or the network is
  // at fault.
  if (failed > graph.neighbours - graph.threshold) {
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

Status ClientSession::AddMasks(std::span<std::uint32_t> lanes, std::uint64_t first_lane) const {
  const State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (state.masks.empty()) {
    return FailedPrecondition(
        "OUT_OF_ORDER: masks exist between the boxes and the unmask answer only");
  }
  const std::uint64_t total = state.config.lanes();
  if (first_lane > total || lanes.size() > total - first_lane) {
    return OutOfRange(tutti::Join(lanes.size(), " lanes at lane ", first_lane,
                                  " do not fit the round's vector of ", total));
  }
  for (std::size_t at = 0; at < lanes.size(); at += kRangeLanes) {
    const auto range = lanes.subspan(at, std::min(kRangeLanes, lanes.size() - at));
    for (const PeerMask& mask : state.masks) {
      crypto::AddMask(mask.key, range, first_lane + at, mask.subtract);
    }
  }
  return OkStatus();
}

StatusOr<MaskedHeader> ClientSession::HeaderFor(const Digest& digest) {
  State& state = *state_;
  TUTTI_TRY(state.Alive());
  if (state.header.has_value()) {
    if (state.header->digest == digest) {
      return *state.header;
    }
    // The caller's mistake, not the coordinator's: the session lives on, a second vector does not
    // leave.
    return FailedPrecondition("CONFLICT: another masked vector was announced in this session");
  }
  if (!state.boxes.has_value()) {
    return FailedPrecondition("OUT_OF_ORDER: a masked vector exists after the boxes only");
  }
  MaskedHeader header{.lanes = state.config.lanes(), .digest = digest, .signature = {}};
  if (state.IsMalicious()) {
    const std::vector<Index> peers = state.MaskedPeers();
    header.signature =
        crypto::Sign(state.signing_key, HeaderStatement(state.session, state.index, peers, header));
  }
  state.header = header;
  return header;
}

}  // namespace tutti::secagg

// Coordinator to client, in a live session: a real ClientSession brought to any of its states, then
// the messages of a coordinator that lies. Whatever it says, the client never reveals both secrets
// of a neighbour, never commits to two sets, and stays silent after a refusal.
#include <algorithm>
#include <map>
#include <set>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/binding.h"
#include "common/secagg/chunks.h"
#include "common/secagg/graph.h"
#include "tests/fuzz/tape.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

using secagg::Index;

constexpr int kMostMessages = 24;

class Victim {
 public:
  Victim(const Tape& tape, Index index)
      : tape_(tape),
        index_(index),
        rng_(TapeRng(index)),
        session_(TapeClient(tape, index, *rng_)),
        graph_(*secagg::ChooseGraph(kTapeClients, tape.config.level, tape.config.corrupt_fraction,
                                    tape.config.dropout_fraction, tape.config.privacy_bits,
                                    tape.config.liveness_bits)) {}

  void Take(const secagg::Roster& roster) {
    const StatusOr<secagg::Shares> shares = session_.OnRoster(roster, *rng_);
    Judge(shares.status(), true);
    if (!shares.ok()) return;
    Same(shares_, *shares, "one roster, one list of shares");
    if (tape_.IsMalicious()) {
      Expect(roster == tape_.rosters[index_], "at level malicious no other roster is believed");
    }
    CheckRoster(roster);
    believed_ = roster == tape_.rosters[index_];
    Expect(shares->boxes.size() == roster.entries.size(),
           "every neighbour gets its shares, nobody else");
  }

  void Take(const secagg::Boxes& boxes) {
    const Status status = session_.OnBoxes(boxes);
    Judge(status, true);
    if (!status.ok()) return;
    Expect(shares_.has_value(), "boxes are opened after a roster only");
    if (!boxes_) {
      boxes_ = boxes;
      CheckBoxes();
    }
    Expect(*boxes_ == boxes, "boxes are taken once");
  }

  void Upload(Source& source) {
    secagg::RingVector vector = tape_.updates[index_];
    if (session_.AddMasks(vector).ok()) {
      Expect(boxes_.has_value(), "masks exist after the boxes only");
    }
    Bytes wire = secagg::ToWire(vector);
    if (const std::uint8_t change = source.U8(); change % 4 == 0) {
      wire[change % wire.size()] ^= 1;
    }
    const StatusOr<secagg::MaskedHeader> header = session_.HeaderFor(wire);
    Judge(header.status(), false);
    if (!header.ok()) return;
    Expect(boxes_.has_value(), "a vector is announced after the boxes only");
    Expect(header->root == secagg::UnsignedHeader(wire).root, "a header is of its vector");
    Same(header_, *header, "one vector is announced in a session");
  }

  void TakeForCommit(const secagg::Survivors& survivors) {
    const StatusOr<secagg::Commit> commit = session_.OnSurvivors(survivors);
    Judge(commit.status(), true);
    if (!commit.ok()) return;
    Expect(tape_.IsMalicious(), "there are no commits at level curious");
    Same(commit_, *commit, "one commit leaves in a session");
    Accept(survivors);
  }

  void TakeForUnmask(const secagg::Survivors& survivors) {
    const StatusOr<secagg::Unmask> unmask = session_.OnSurvivorsCurious(survivors);
    Judge(unmask.status(), true);
    if (!unmask.ok()) return;
    Expect(!tape_.IsMalicious(), "without a certificate nothing is revealed at level malicious");
    Accept(survivors);
    Answered(*unmask);
  }

  void Take(const secagg::CommitCertificate& certificate) {
    const StatusOr<secagg::Unmask> unmask = session_.OnCertificate(certificate);
    Judge(unmask.status(), true);
    if (!unmask.ok()) return;
    Expect(commit_.has_value(), "who did not commit reveals nothing");
    // Nobody signed another set, so no other can have a certificate.
    Expect(*set_ == tape_.survivors, "only the set that was signed by enough is opened");
    Same(certificate_, certificate, "one certificate is answered in a session");
    CheckCertificate();
    Answered(*unmask);
  }

 private:
  // After a refusal of a message nothing leaves any more; a mistake of the caller ends nothing.
  void Judge(const Status& status, bool from_coordinator) {
    if (ended_) {
      Expect(!status.ok() && MessageOf(status).starts_with("SESSION_ENDED"),
             "a session that refused is over");
    } else if (!status.ok() && from_coordinator) {
      ended_ = true;
    }
  }

  void CheckRoster(const secagg::Roster& roster) const {
    Expect(roster.size >= tape_.config.min_cohort && roster.size <= tape_.config.max_cohort,
           "a cohort is as large as the configuration says");
    Expect(roster.own_index < roster.size && roster.entries.size() + 1 == roster.size,
           "in a small cohort everybody is everybody's neighbour");
    std::set<crypto::X25519Public> keys{tape_.joins[index_].box_key, tape_.joins[index_].mask_key};
    Index last = 0;
    for (const secagg::RosterEntry& entry : roster.entries) {
      Expect(entry.index != roster.own_index && entry.index < roster.size &&
                 (last < entry.index || &entry == roster.entries.data()),
             "neighbours are others, each once, in order");
      last = entry.index;
      Expect(keys.insert(entry.join.box_key).second && keys.insert(entry.join.mask_key).second,
             "no key is used twice");
    }
  }

  // Of a box that is not the recorded one no share may be kept.
  void CheckBoxes() {
    std::size_t wrong = 0;
    std::optional<Index> last;
    for (const secagg::ShareBox& box : boxes_->boxes) {
      Expect(!last || *last < box.peer, "owners are ascending");
      Expect(box.peer != index_ && box.peer < kTapeClients, "owners are neighbours");
      last = box.peer;
      const auto& right = tape_.boxes[index_].boxes;
      const bool known = std::find(right.begin(), right.end(), box) != right.end();
      if (known && believed_) good_.insert(box.peer);
      wrong += known ? 0 : 1;
    }
    Expect(boxes_->boxes.size() >= graph_.threshold, "nobody masks with too few peers");
    Expect(wrong <= graph_.neighbours - graph_.threshold, "not too many boxes are wrong");
  }

  void CheckCertificate() const {
    Expect(tape_.IsMalicious(), "there are no certificates at level curious");
    Expect(certificate_->commits.size() >=
               secagg::CommitsNeeded(kTapeClients, tape_.config.corrupt_fraction),
           "enough have signed");
    Expect(certificate_->proof.empty(), "where all joins are known a proof has no nodes");
    std::optional<Index> last;
    for (const secagg::CommitEntry& entry : certificate_->commits) {
      Expect(!last || *last < entry.index, "signers are ascending");
      last = entry.index;
      Expect(secagg::TestBit(set_->bitmap, entry.index), "signers survived");
      Expect(entry.signature == tape_.commits[entry.index].signature,
             "signatures are the signers'");
    }
  }

  template <typename T>
  void Same(std::optional<T>& first, const T& again, const char* property) {
    if (!first) first = again;
    Expect(*first == again, property);
  }

  void Accept(const secagg::Survivors& survivors) {
    Same(set_, survivors, "one survivor set in a session");
    Expect(header_.has_value(), "a set is answered after the vector only");
    Expect(secagg::IsBitmapOf(survivors.bitmap, kTapeClients), "a set is one of this roster");
    Expect(secagg::TestBit(survivors.bitmap, index_), "a client is in the sets it answers");
    const std::uint32_t alive = secagg::CountBits(survivors.bitmap);
    Expect(alive >= tape_.config.min_survivors, "no sum of too few is opened");
    Expect(alive > graph_.threshold, "enough neighbours live to open a secret");
    for (Index i = 0; i < kTapeClients; ++i) {
      Expect(i == index_ || !secagg::TestBit(survivors.bitmap, i) || HasBox(i),
             "who never shared cannot have survived");
    }
  }

  void Answered(const secagg::Unmask& unmask) {
    Same(unmask_, unmask, "one answer in a session");
    for (const secagg::RevealedShare& share : unmask.shares) {
      const auto known = revealed_.emplace(share.owner, share.is_mask_key).first;
      Expect(known->second == share.is_mask_key, "never both secrets of one neighbour");
      Expect(share.is_mask_key != secagg::TestBit(set_->bitmap, share.owner),
             "the seed of who survived, the mask key of who did not");
      Expect(!believed_ || good_.contains(share.owner), "shares are of good boxes");
      Expect(!believed_ ||
                 secagg::ShareFitsHash(
                     BoxOf(share.owner).share_hash, Session(), share.owner, index_,
                     share.is_mask_key ? secagg::ShareKind::kMaskKey : secagg::ShareKind::kSeed,
                     share.share),
             "a share is the one its owner dealt");
    }
  }

  bool HasBox(Index owner) const {
    return std::any_of(boxes_->boxes.begin(), boxes_->boxes.end(),
                       [owner](const secagg::ShareBox& box) { return box.peer == owner; });
  }
  const secagg::ShareBox& BoxOf(Index owner) const {
    const auto& right = tape_.boxes[index_].boxes;
    return *std::find_if(right.begin(), right.end(),
                         [owner](const secagg::ShareBox& box) { return box.peer == owner; });
  }
  Digest Session() const {
    return secagg::SessionId(session_.config_hash(), tape_.rosters[0].root, kTapeClients);
  }

  const Tape& tape_;
  Index index_;
  std::unique_ptr<SecureRng> rng_;
  secagg::ClientSession session_;
  secagg::GraphParameters graph_;
  bool ended_ = false;
  bool believed_ = false;  // the recorded roster
  std::optional<secagg::Shares> shares_;
  std::optional<secagg::Boxes> boxes_;
  std::optional<secagg::MaskedHeader> header_;
  std::optional<secagg::Commit> commit_;
  std::optional<secagg::Survivors> set_;
  std::optional<secagg::CommitCertificate> certificate_;
  std::optional<secagg::Unmask> unmask_;
  std::set<Index> good_;  // owners of boxes that are the recorded ones
  std::map<Index, bool> revealed_;
};

void Deliver(const Tape& tape, Index from, Victim& victim, std::uint8_t kind, Source& source) {
  switch (kind % 6) {
    case 0:
      if (const auto m = Received<v1::RosterMessage>(tape.rosters[from], source)) victim.Take(*m);
      break;
    case 1:
      if (const auto m = Received<v1::BoxesMessage>(tape.boxes[from], source)) victim.Take(*m);
      break;
    case 2:
      victim.Upload(source);
      break;
    case 3:
      if (const auto m = Received<v1::SurvivorsMessage>(tape.survivors, source)) {
        victim.TakeForCommit(*m);
      }
      break;
    case 4:
      if (const auto m = Received<v1::SurvivorsMessage>(tape.survivors, source)) {
        victim.TakeForUnmask(*m);
      }
      break;
    default:
      if (const auto m = Received<v1::CertificateMessage>(
              tape.IsMalicious() ? tape.certificates[from] : secagg::CommitCertificate{}, source)) {
        victim.Take(*m);
      }
  }
}

// `steps` of the round as it was recorded.
void FastForward(const Tape& tape, Index index, Victim& victim, std::uint8_t steps) {
  if (steps > 0) victim.Take(tape.rosters[index]);
  if (steps > 1) victim.Take(tape.boxes[index]);
  if (steps > 2) {
    const Bytes unchanged(1, 1);
    Source source(unchanged);
    victim.Upload(source);
  }
  if (steps > 3 && tape.IsMalicious()) victim.TakeForCommit(tape.survivors);
}

}  // namespace
}  // namespace tutti::fuzz

// First byte: the level, the client and how far the round went; then one message after the other.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  fuzz::Source source({data, size});
  const std::uint8_t start = source.U8();
  const fuzz::Tape& tape = fuzz::TapeOf(start % 2 == 0 ? secagg::ThreatLevel::kMalicious
                                                       : secagg::ThreatLevel::kCurious);
  const secagg::Index index = start / 2 % fuzz::kTapeClients;
  fuzz::Victim victim(tape, index);
  fuzz::FastForward(tape, index, victim,
                    static_cast<std::uint8_t>(start / 2 / fuzz::kTapeClients % 5));
  for (int i = 0; i < fuzz::kMostMessages && !source.empty(); ++i) {
    const std::uint8_t kind = source.U8();
    // Seldom a message that is another client's.
    const secagg::Index from = kind / 6 % 8 == 0 ? source.U8() % fuzz::kTapeClients : index;
    fuzz::Deliver(tape, from, victim, kind, source);
  }
  return 0;
}

// Coordinator to client, in a live session: a real ClientSession brought to any of its states, then
// the messages of a coordinator that lies. Whatever it says, the client never reveals both secrets
// of a neighbour, never commits to two sets, and stays silent after a refusal.
#include <map>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/secagg/binding.h"
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
    Expect(shares->boxes.size() == graph_.neighbours,
           "every neighbour gets its shares, nobody else");
  }

  void Take(const secagg::Boxes& boxes) {
    const Status status = session_.OnBoxes(boxes);
    Judge(status, true);
    if (!status.ok()) return;
    Expect(shares_.has_value(), "boxes are opened after a roster only");
    Expect(boxes.boxes.size() >= graph_.threshold, "nobody masks with too few peers");
    if (!boxes_) boxes_ = boxes;
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
    if (header.ok()) Same(header_, *header, "one vector is announced in a session");
  }

  void TakeForCommit(const secagg::Survivors& survivors) {
    const StatusOr<secagg::Commit> commit = session_.OnSurvivors(survivors);
    Judge(commit.status(), true);
    if (!commit.ok()) return;
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
    Expect(secagg::CountBits(survivors.bitmap) >= tape_.config.min_survivors,
           "no sum of too few is opened");
  }

  void Answered(const secagg::Unmask& unmask) {
    Same(unmask_, unmask, "one answer in a session");
    for (const secagg::RevealedShare& share : unmask.shares) {
      const auto known = revealed_.emplace(share.owner, share.is_mask_key).first;
      Expect(known->second == share.is_mask_key, "never both secrets of one neighbour");
      Expect(share.is_mask_key != secagg::TestBit(set_->bitmap, share.owner),
             "the seed of who survived, the mask key of who did not");
      Expect(std::any_of(boxes_->boxes.begin(), boxes_->boxes.end(),
                         [&](const secagg::ShareBox& box) { return box.peer == share.owner; }),
             "shares are of owners whose boxes came");
    }
  }

  const Tape& tape_;
  Index index_;
  std::unique_ptr<SecureRng> rng_;
  secagg::ClientSession session_;
  secagg::GraphParameters graph_;
  bool ended_ = false;
  std::optional<secagg::Shares> shares_;
  std::optional<secagg::Boxes> boxes_;
  std::optional<secagg::MaskedHeader> header_;
  std::optional<secagg::Commit> commit_;
  std::optional<secagg::Survivors> set_;
  std::optional<secagg::Unmask> unmask_;
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

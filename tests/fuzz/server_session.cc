// Client to coordinator, in a live session: a real ServerSession, closed and opened step by step,
// and the messages of clients that lie. A second session hears only what the first accepted: if a
// refused message left a trace, the two differ in the end. What is rebuilt are the right masks.
#include <map>

#include "common/secagg/accumulator.h"
#include "common/secagg/binding.h"
#include "common/wire/conversation.h"
#include "tests/fuzz/tape.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

using secagg::Index;
using secagg::ServerSession;

constexpr int kMostEvents = 64;

// What anybody can see of a session.
struct Counters {
  secagg::ServerStep step{};
  std::size_t joined = 0, shared = 0, masked = 0, committed = 0, unmasked = 0;
  bool can_rebuild = false;
  bool operator==(const Counters&) const = default;
};
Counters CountersOf(const ServerSession& session) {
  return {session.step(),
          session.joined(),
          session.shared(),
          session.masked(),
          session.step() >= secagg::ServerStep::kCommitting ? session.committed() : 0,
          session.unmasked(),
          session.CanRebuild()};
}

template <typename T>
bool SameResult(const StatusOr<T>& one, const StatusOr<T>& other) {
  return one.ok() == other.ok() && (one.ok() ? *one == *other : one.status() == other.status());
}

class Round {
 public:
  explicit Round(const Tape& tape)
      : tape_(tape),
        session_(*ServerSession::Open(tape.config, &TapeVerifier())),
        shadow_(*ServerSession::Open(tape.config, &TapeVerifier())) {}

  // Carries one call out, and again on the shadow when it was accepted.
  template <typename Call>
  bool Do(Call call) {
    const Counters before = CountersOf(session_);
    const Status status = call(session_);
    if (!status.ok()) {
      Expect(CountersOf(session_) == before, "what is refused changes nothing");
      Expect(!ending_ || !call(shadow_).ok(), "what was refused before does not matter now");
      return false;
    }
    Expect(call(shadow_).ok(), "what is accepted does not depend on what was refused before");
    return true;
  }

  void Event(std::uint8_t kind, Index from, Source& source);
  void Step(std::uint8_t step);
  // All that is right from client `from`, as far as the session takes it.
  void HonestStep(std::uint8_t step, std::uint8_t absent);
  void CheckEnd();

 private:
  void AddMasked(Index from, const secagg::MaskedHeader& header) {
    if (Do([&](ServerSession& s) { return s.AddMasked(tape_.names[from], header); })) {
      headers_.emplace(from, header);
    }
  }
  void Rebuild();
  bool IsTapesRoster() const;
  std::vector<std::pair<Bytes, bool>> RightMasks() const;
  void CheckSum(const std::vector<secagg::LeftoverMask>& masks);

  const Tape& tape_;
  ServerSession session_;
  ServerSession shadow_;
  std::map<Index, secagg::MaskedHeader> headers_;
  bool ending_ = false;
};

void Round::Event(std::uint8_t kind, Index from, Source& source) {
  const ClientId& name = tape_.names[from];
  // The message is another client's when the second number says so.
  const std::uint8_t other = source.U8();
  const Index of = other % 8 == 0 ? other / 8 % kTapeClients : from;
  switch (kind % 6) {
    case 0:
      if (const auto m = Received<v1::JoinMessage>(
              other % 8 == 1 ? tape_.twins[from] : tape_.joins[of], source)) {
        Do([&](ServerSession& s) { return s.AddJoin(name, *m); });
      }
      break;
    case 1:
      if (const auto m = Received<v1::ShareMessage>(tape_.shares[of], source)) {
        Do([&](ServerSession& s) { return s.AddShares(name, *m); });
      }
      break;
    case 2:
      if (const auto m = Received<v1::MaskedHeader>(tape_.headers[of], source)) {
        const bool checked = Do([&](ServerSession& s) { return s.CheckHeader(name, *m); });
        if (other % 2 == 0 && checked) AddMasked(from, *m);
      }
      break;
    case 3:
      if (const auto m = Received<v1::CommitMessage>(
              tape_.IsMalicious() ? tape_.commits[of] : secagg::Commit{}, source)) {
        Do([&](ServerSession& s) { return s.AddCommit(name, *m); });
      }
      break;
    case 4:
      if (const auto m = Received<v1::UnmaskMessage>(tape_.unmasks[of], source)) {
        Do([&](ServerSession& s) { return s.AddUnmask(name, *m); });
      }
      break;
    default:
      Step(other);
  }
}

void Round::Step(std::uint8_t step) {
  switch (step % 5) {
    case 0:
      Do([](ServerSession& s) { return s.CloseJoins(); });
      break;
    case 1:
      Do([](ServerSession& s) { return s.CloseShares(); });
      break;
    case 2:
      Do([](ServerSession& s) { return s.CloseMasked(); });
      break;
    case 3:
      Do([](ServerSession& s) { return s.CloseCommits(); });
      break;
    default:
      Rebuild();
  }
}

void Round::HonestStep(std::uint8_t step, std::uint8_t absent) {
  for (Index i = 0; i < kTapeClients; ++i) {
    if ((absent >> i & 1) != 0) continue;
    const ClientId& name = tape_.names[i];
    switch (step) {
      case 0:
        Do([&](ServerSession& s) { return s.AddJoin(name, tape_.joins[i]); });
        break;
      case 1:
        Do([&](ServerSession& s) { return s.AddShares(name, tape_.shares[i]); });
        break;
      case 2:
        AddMasked(i, tape_.headers[i]);
        break;
      case 3:
        if (tape_.IsMalicious()) {
          Do([&](ServerSession& s) { return s.AddCommit(name, tape_.commits[i]); });
        }
        break;
      default:
        Do([&](ServerSession& s) { return s.AddUnmask(name, tape_.unmasks[i]); });
    }
  }
  if (step < 4) Step(step);
}

bool Round::IsTapesRoster() const {
  if (session_.step() == secagg::ServerStep::kJoining || session_.cohort() != kTapeClients) {
    return false;
  }
  return session_.RosterFor(tape_.names[0])->root == tape_.rosters[0].root;
}

// What must come out of the sum when everybody's secrets are the tape's.
std::vector<std::pair<Bytes, bool>> Round::RightMasks() const {
  const Digest session =
      secagg::SessionId(session_.config_hash(), tape_.rosters[0].root, kTapeClients);
  std::vector<std::pair<Bytes, bool>> masks;
  const std::set<ClientId> survivors = session_.SurvivorSet(), sharers = session_.Sharers();
  for (Index i = 0; i < kTapeClients; ++i) {
    if (survivors.contains(tape_.names[i])) {
      masks.emplace_back(ToBytes(secagg::SelfMaskSeed(session, tape_.seeds[i], i).view()), true);
      continue;
    }
    for (Index j = 0; j < kTapeClients && sharers.contains(tape_.names[i]); ++j) {
      if (j == i || !survivors.contains(tape_.names[j])) continue;
      const Secret32 agreed = *crypto::Agree(tape_.mask_keys[i], tape_.joins[j].mask_key);
      masks.emplace_back(
          ToBytes(secagg::PairMaskSeed(secagg::PairSecret(session, agreed), i, j).view()), j < i);
    }
  }
  return masks;
}

void Round::CheckSum(const std::vector<secagg::LeftoverMask>& masks) {
  secagg::Accumulator sum(tape_.config.layout());
  secagg::RingVector plain(tape_.config.layout());
  for (const auto& [client, header] : headers_) {
    if (header.root != tape_.headers[client].root) return;  // its vector is not the tape's
    Expect(sum.Add(tape_.vectors[client], 0).ok(), "an honest vector can be added");
    Expect(plain.AddWire(secagg::ToWire(tape_.updates[client]), 0).ok(), "a plain one as well");
  }
  Expect(sum.RemoveMasks(masks, 0, sum.sum().count()).ok(), "masks can be removed");
  Expect(secagg::ToWire(sum.sum()) == secagg::ToWire(plain), "the sum is that of the survivors");
}

void Round::Rebuild() {
  const bool can = session_.CanRebuild();
  StatusOr<std::vector<secagg::LeftoverMask>> masks = std::vector<secagg::LeftoverMask>{};
  const bool done = Do([&](ServerSession& s) {
    masks = s.Rebuild();
    return masks.status();
  });
  if (!done) {
    Expect(!can || masks.status().code() == StatusCode::kAborted,
           "when the shares are there only a lie keeps the sum shut");
    return;
  }
  Expect(can, "nothing is rebuilt before the shares are there");
  Expect(session_.SurvivorSet().size() >= tape_.config.min_survivors,
         "no sum of too few is opened");
  if (!IsTapesRoster()) return;
  std::vector<std::pair<Bytes, bool>> rebuilt;
  for (const secagg::LeftoverMask& mask : *masks) {
    rebuilt.emplace_back(ToBytes(mask.seed.view()), mask.in_sum_positive);
  }
  Expect(rebuilt == RightMasks(), "the masks that are rebuilt are the ones in the sum");
  if (session_.Sharers().size() == kTapeClients) CheckSum(*masks);
}

void Round::CheckEnd() {
  Expect(CountersOf(session_) == CountersOf(shadow_), "refused messages leave no trace");
  Expect(session_.step() == secagg::ServerStep::kJoining || session_.Members() == shadow_.Members(),
         "the roster is of the accepted joins");
  Expect(session_.Sharers() == shadow_.Sharers() && session_.SurvivorSet() == shadow_.SurvivorSet(),
         "U1 and U2 are of the accepted messages");
  Expect(SameResult(session_.SurvivorsMessage(), shadow_.SurvivorsMessage()),
         "the survivor set is of the accepted vectors");
  for (const ClientId& name : tape_.names) {
    Expect(SameResult(session_.RosterFor(name), shadow_.RosterFor(name)) &&
               SameResult(session_.BoxesFor(name), shadow_.BoxesFor(name)) &&
               SameResult(session_.CertificateFor(name), shadow_.CertificateFor(name)),
           "what clients are told is of the accepted messages");
  }
  // What was refused does not keep the honest rest from going on.
  ending_ = true;
  for (std::uint8_t step = 0; step < 5; ++step) HonestStep(step, 0);
  Rebuild();
}

}  // namespace
}  // namespace tutti::fuzz

// First byte: the level and how many steps were honest; then the clients absent from each of these
// steps; then one event after the other: kind, sender, message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  fuzz::Source source({data, size});
  const std::uint8_t start = source.U8();
  fuzz::Round round(fuzz::TapeOf(start % 2 == 0 ? secagg::ThreatLevel::kMalicious
                                                : secagg::ThreatLevel::kCurious));
  for (std::uint8_t step = 0; step < start / 2 % 6 && step < 5; ++step) {
    round.HonestStep(step, source.U8());
  }
  for (int i = 0; i < fuzz::kMostEvents && !source.empty(); ++i) {
    const std::uint8_t kind = source.U8();
    round.Event(kind, kind / 6 % fuzz::kTapeClients, source);
  }
  round.CheckEnd();
  return 0;
}

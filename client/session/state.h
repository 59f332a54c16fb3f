// The session machine's insides; only client/session's own files include this, everyone else sees
// session.h. Thread safety: confined to the session thread.
#pragma once

#include "client/session/session.h"

namespace tutti::session {

// The one session a device is in: an offer, and from the join on its keys.
struct Current {
  protocol::Offer offer;
  secagg::RoundConfig config;
  Step step = Step::kDeciding;
  std::uint64_t max_staleness = 0;
  std::optional<secagg::ClientSession> keys;
  // What was answered, for the same question asked again; `keys` knows the rest.
  std::optional<protocol::JoinRequest> join;
  std::optional<protocol::UnmaskRequest> unmask;
};

// A training that goes on although its session is over: for a later round of the same task.
struct LateTraining {
  protocol::SessionHash session{};
  Digest task_hash{};
  std::uint64_t round = 0;
  std::uint64_t max_staleness = 0;

  bool IsFor(const secagg::RoundConfig& later) const {
    return later.task_hash == task_hash && later.round >= round &&
           later.round - round <= max_staleness;
  }
};

struct Session::State {
  State(secagg::ClientIdentity own_identity, crypto::PeerVerifier& peer_verifier,
        SecureRng& secure_rng, std::vector<LastAnswered> answered)
      : identity(std::move(own_identity)),
        verifier(peer_verifier),
        rng(secure_rng),
        journal(std::move(answered)) {}

  void On(const NoticeArrived& event);
  void On(const Allowed& event);
  void On(const Refused& event);
  void On(const Trained& event);
  void On(const TrainingFailed& event);
  void On(const Charged& event);
  void On(const ChargeRefused& event);
  void On(const Uploaded& event);
  void On(const Rejected& event);

  void Take(const protocol::Welcome&) {}
  void Take(const protocol::Offer& offer);
  void Take(const protocol::RosterNotice& notice);
  void Take(const protocol::BoxesNotice& notice);
  void Take(const protocol::SurvivorsNotice& notice);
  void Take(const protocol::CertificateNotice& notice);
  void Take(const protocol::Closed& closed);
  void Take(const protocol::EvaluationOffer& offer);

  template <typename E>
  void Emit(E effect) {
    effects.emplace_back(std::move(effect));
  }
  void Warn(std::string text) { Emit(Note{true, std::move(text)}); }

  bool Is(const protocol::SessionHash& session, Step step) const;
  // Whether a step's notice is for the running session and its keys exist; declines it otherwise.
  bool IsMine(const protocol::SessionHash& session, std::string_view what);
  StatusOr<secagg::RoundConfig> CheckOffer(const protocol::Offer& offer) const;
  void DeclineAndFinish(std::string code, std::string reason);
  void FailStep(const Status& status, std::string_view fallback_code);
  void Finish(protocol::Outcome outcome, std::string reason, std::uint32_t survivors);
  // The running training goes on, or stops, as its update may be late or not.
  void LeaveTraining();
  void StopLateTraining();
  // Whether it was a training that outlived its session.
  bool EndedLate(const protocol::SessionHash& session);
  // Writes down the set the session has just bound itself to.
  void Record();
  void Answer(secagg::Unmask unmask);

  secagg::ClientIdentity identity;
  crypto::PeerVerifier& verifier;
  SecureRng& rng;
  std::vector<LastAnswered> journal;
  protocol::BudgetReport budget;
  std::optional<Current> current;
  std::optional<LateTraining> late;
  std::optional<protocol::SessionHash> declined;  // the newest one, so that it is declined once
  std::vector<Effect> effects;
};

}  // namespace tutti::session

// What the coordinator says, checked before anything is answered.
#include <algorithm>
#include <tuple>

#include "client/session/state.h"
#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::session {

StatusOr<secagg::RoundConfig> Session::State::CheckOffer(const protocol::Offer& offer) const {
  TUTTI_ASSIGN(secagg::RoundConfig config, secagg::DecodeRoundConfig(offer.config));
  if (secagg::ConfigHash(config) != offer.session && Guard("offer.session")) {
    return InvalidArgument("the session's name is not the hash of its configuration");
  }
  if (crypto::Sha256(offer.task) != config.task_hash && Guard("offer.task")) {
    return InvalidArgument("the task's hash is not the one in the round's configuration");
  }
  if (Guard("offer.config")) {
    TUTTI_TRY(secagg::CheckRoundConfig(config));
  }
  for (const LastAnswered& last : journal) {
    if (last.job == config.job &&
        std::tie(config.round, config.attempt) <= std::tie(last.round, last.attempt) &&
        Guard("offer.replayed")) {
      return FailedPrecondition(Join("REPLAYED: round ", config.round, " attempt ", config.attempt,
                                     " of job ", config.job, " does not come after round ",
                                     last.round, " attempt ", last.attempt,
                                     ", which this device answered; a job that starts over needs "
                                     "another name"));
    }
  }
  return config;
}

void Session::State::Take(const protocol::Offer& offer) {
  if (current && current->offer.session == offer.session) {
    const bool same = current->offer.config == offer.config && current->offer.task == offer.task;
    if (!same && Guard("conflict.offer")) {
      return DeclineAndFinish("CONFLICT",
                              "a second offer of this session differs from the one in progress");
    }
    if (current->join) {
      Emit(Send{*current->join});
    }
    return;
  }
  StatusOr<secagg::RoundConfig> config = CheckOffer(offer);
  if (!config.ok()) {
    const std::string text(MessageOf(config.status()));
    const bool replayed = text.starts_with("REPLAYED: ");
    declined = offer.session;
    Warn(Join("an offer was refused: ", text));
    return Emit(
        Send{protocol::DeclineRequest{offer.session, replayed ? "REPLAYED" : "OFFER_REJECTED",
                                      replayed ? text.substr(10) : text, budget}});
  }
  if (current) {
    Finish(protocol::Outcome::kDropped, "a newer offer replaced this session", 0);
  }
  if (late && !late->IsFor(*config)) StopLateTraining();
  current.emplace();
  current->offer = offer;
  current->config = *std::move(config);
  Emit(Decide{current->offer, current->config});
}

bool Session::State::IsMine(const protocol::SessionHash& session, std::string_view what) {
  if (current && current->offer.session == session) {
    if (current->keys) {
      return true;
    }
    DeclineAndFinish("OUT_OF_ORDER", Join(what, " came in step ", StepName(current->step),
                                          ", before this device joined"));
    return false;
  }
  // The coordinator waits for keys that died with a restart or a newer offer: say so instead of
  // letting it wait.
  if (declined != session) {
    declined = session;
    Emit(Send{protocol::DeclineRequest{session, "NO_SESSION",
                                       Join("this device has no keys for the session (", what, ")"),
                                       budget}});
  }
  return false;
}

// The keys give the same answer to the same message again, and refuse everything that is not due.
void Session::State::Take(const protocol::RosterNotice& notice) {
  if (!IsMine(notice.session, "roster")) {
    return;
  }
  StatusOr<secagg::Shares> shares = current->keys->OnRoster(notice.roster, rng);
  if (!shares.ok()) {
    return FailStep(shares.status(), "ROSTER_REJECTED");
  }
  current->step = std::max(current->step, Step::kShared);
  Emit(Send{protocol::ShareRequest{notice.session, *std::move(shares)}});
}

void Session::State::Take(const protocol::BoxesNotice& notice) {
  if (!IsMine(notice.session, "boxes")) {
    return;
  }
  if (const Status status = current->keys->OnBoxes(notice.boxes); !status.ok()) {
    return FailStep(status, "BOXES_REJECTED");
  }
  if (current->step == Step::kShared) {  // else the charge or the upload is on its way
    current->step = Step::kCharging;
    Emit(Charge{notice.session, current->config});
  }
}

void Session::State::Record() {
  const secagg::RoundConfig& config = current->config;
  std::erase_if(journal, [&](const LastAnswered& last) { return last.job == config.job; });
  journal.push_back(LastAnswered{config.job, config.round, config.attempt});
  Emit(RecordAnswer{current->offer.session, config.job, config.round, config.attempt,
                    current->keys->AnsweredSet().value_or(Digest{})});
}

void Session::State::Answer(secagg::Unmask unmask) {
  if (!current->unmask) {
    current->unmask = protocol::UnmaskRequest{current->offer.session, std::move(unmask), budget};
    current->step = Step::kUnmasked;
  }
  Emit(Send{*current->unmask});
}

// The notice may overtake the upload's own answer; that the set holds this client says that the
// vector arrived.
void Session::State::Take(const protocol::SurvivorsNotice& notice) {
  if (!IsMine(notice.session, "survivors")) {
    return;
  }
  const bool first = !current->keys->AnsweredSet().has_value();
  if (current->config.level == secagg::ThreatLevel::kMalicious) {
    const StatusOr<secagg::Commit> commit = current->keys->OnSurvivors(notice.survivors);
    if (!commit.ok()) {
      return FailStep(commit.status(), "SURVIVORS_REJECTED");
    }
    if (first) {
      Record();
      current->step = Step::kCommitted;
    }
    return Emit(Send{protocol::CommitRequest{notice.session, *commit}});
  }
  StatusOr<secagg::Unmask> unmask = current->keys->OnSurvivorsCurious(notice.survivors);
  if (!unmask.ok()) {
    return FailStep(unmask.status(), "SURVIVORS_REJECTED");
  }
  if (first) {
    Record();
  }
  Answer(*std::move(unmask));
}

void Session::State::Take(const protocol::CertificateNotice& notice) {
  if (!IsMine(notice.session, "certificate")) {
    return;
  }
  StatusOr<secagg::Unmask> unmask = current->keys->OnCertificate(notice.certificate);
  if (!unmask.ok()) {
    return FailStep(unmask.status(), "CERTIFICATE_REJECTED");
  }
  Answer(*std::move(unmask));
}

void Session::State::Take(const protocol::Closed& closed) {
  if (current && current->offer.session == closed.session) {
    Finish(closed.outcome, Escaped(closed.reason, 512), closed.survivors);
  }
}

void Session::State::Take(const protocol::EvaluationOffer& offer) { Emit(Evaluate{offer}); }

}  // namespace tutti::session

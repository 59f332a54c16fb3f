// What the coordinator says, checked before anything is answered.
#include <tuple>

#include "client/session/state.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::session {

StatusOr<secagg::RoundConfig> Session::State::CheckOffer(const protocol::Offer& offer) const {
  TUTTI_ASSIGN(secagg::RoundConfig config, secagg::DecodeRoundConfig(offer.config));
  if (secagg::ConfigHash(config) != offer.session) {
    return InvalidArgument("the session's name is not the hash of its configuration");
  }
  if (crypto::Sha256(offer.task) != config.task_hash) {
    return InvalidArgument("the task's hash is not the one in the round's configuration");
  }
  TUTTI_TRY(secagg::CheckRoundConfig(config));
  for (const LastAnswered& last : journal) {
    if (last.job == config.job &&
        std::tie(config.round, config.attempt) <= std::tie(last.round, last.attempt)) {
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
    if (current->offer.config != offer.config || current->offer.task != offer.task) {
      return Warn(
          "an offer names the running session but differs from its first offer; it is ignored");
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
  current.emplace();
  current->offer = offer;
  current->config = *std::move(config);
  Emit(Decide{current->offer, current->config});
}

bool Session::State::IsMine(const protocol::SessionHash& session, std::string_view what) {
  if (current && current->offer.session == session) {
    return true;
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

void Session::State::Take(const protocol::RosterNotice& notice) {
  if (!IsMine(notice.session, "roster")) {
    return;
  }
  if (current->roster) {
    return *current->roster == notice
               ? Emit(Send{*current->shares})
               : Warn("a second, different roster of the same session is refused");
  }
  if (current->step != Step::kJoined) {
    return Warn(Join("a roster came in step ", StepName(current->step), "; it is ignored"));
  }
  StatusOr<secagg::Shares> shares = current->keys->OnRoster(notice.roster, rng);
  if (!shares.ok()) {
    return FailStep(shares.status(), "ROSTER_REJECTED");
  }
  current->roster = notice;
  current->shares = protocol::ShareRequest{notice.session, *std::move(shares)};
  current->step = Step::kShared;
  Emit(Send{*current->shares});
}

void Session::State::Take(const protocol::BoxesNotice& notice) {
  if (!IsMine(notice.session, "boxes")) {
    return;
  }
  if (current->boxes) {
    if (*current->boxes != notice) {
      Warn("a second, different set of boxes of the same session is refused");
    }
    return;  // the charge or the upload is on its way
  }
  if (current->step != Step::kShared) {
    return Warn(Join("boxes came in step ", StepName(current->step), "; they are ignored"));
  }
  if (const Status status = current->keys->OnBoxes(notice.boxes); !status.ok()) {
    return FailStep(status, "BOXES_REJECTED");
  }
  current->boxes = notice;
  current->step = Step::kCharging;
  Emit(Charge{notice.session, current->config});
}

void Session::State::Record(const Digest& survivor_set) {
  const secagg::RoundConfig& config = current->config;
  std::erase_if(journal, [&](const LastAnswered& last) { return last.job == config.job; });
  journal.push_back(LastAnswered{config.job, config.round, config.attempt});
  Emit(
      RecordAnswer{current->offer.session, config.job, config.round, config.attempt, survivor_set});
}

void Session::State::Take(const protocol::SurvivorsNotice& notice) {
  if (!IsMine(notice.session, "survivors")) {
    return;
  }
  if (current->survivors) {
    if (*current->survivors != notice) {
      return Warn("a second, different survivor set of the same session is refused");
    }
    return current->commit ? Emit(Send{*current->commit}) : Emit(Send{*current->unmask});
  }
  // The notice may overtake the upload's own answer; that the set holds this client says that the
  // vector arrived.
  if (current->step != Step::kUploading && current->step != Step::kUploaded) {
    return Warn(Join("a survivor set came in step ", StepName(current->step), "; it is ignored"));
  }
  if (current->config.level == secagg::ThreatLevel::kMalicious) {
    AnswerSurvivorsMalicious(notice);
  } else {
    AnswerSurvivorsCurious(notice);
  }
}

void Session::State::AnswerSurvivorsMalicious(const protocol::SurvivorsNotice& notice) {
  StatusOr<secagg::Commit> commit = current->keys->OnSurvivors(notice.survivors);
  if (!commit.ok()) {
    return FailStep(commit.status(), "SURVIVORS_REJECTED");
  }
  Record(current->keys->AnsweredSet().value_or(Digest{}));
  current->survivors = notice;
  current->commit = protocol::CommitRequest{notice.session, *std::move(commit)};
  current->step = Step::kCommitted;
  Emit(Send{*current->commit});
}

void Session::State::AnswerSurvivorsCurious(const protocol::SurvivorsNotice& notice) {
  StatusOr<secagg::Unmask> unmask = current->keys->OnSurvivorsCurious(notice.survivors);
  if (!unmask.ok()) {
    return FailStep(unmask.status(), "SURVIVORS_REJECTED");
  }
  Record(current->keys->AnsweredSet().value_or(Digest{}));
  current->survivors = notice;
  current->unmask = protocol::UnmaskRequest{notice.session, *std::move(unmask), budget};
  current->step = Step::kUnmasked;
  Emit(Send{*current->unmask});
}

void Session::State::Take(const protocol::CertificateNotice& notice) {
  if (!IsMine(notice.session, "certificate")) {
    return;
  }
  if (current->certificate) {
    return *current->certificate == notice ? Emit(Send{*current->unmask})
                                           : Warn("a second, different certificate is refused");
  }
  if (current->step != Step::kCommitted) {
    return Warn(
        Join("a commit certificate came in step ", StepName(current->step), "; it is ignored"));
  }
  StatusOr<secagg::Unmask> unmask = current->keys->OnCertificate(notice.certificate);
  if (!unmask.ok()) {
    return FailStep(unmask.status(), "CERTIFICATE_REJECTED");
  }
  current->certificate = notice;
  current->unmask = protocol::UnmaskRequest{notice.session, *std::move(unmask), budget};
  current->step = Step::kUnmasked;
  Emit(Send{*current->unmask});
}

void Session::State::Take(const protocol::Closed& closed) {
  if (current && current->offer.session == closed.session) {
    Finish(closed.outcome, Escaped(closed.reason, 512), closed.survivors);
  }
}

void Session::State::Take(const protocol::EvaluationOffer& offer) { Emit(Evaluate{offer}); }

}  // namespace tutti::session

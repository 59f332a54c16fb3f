#include "client/session/session.h"

#include <memory>
#include <utility>

#include "client/session/state.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::session {
namespace {

constexpr std::size_t kMaxReason = 512;

struct CodedText {
  std::string code;
  std::string reason;
};

// Errors of the protocol start with a code word, "ROSTER_REJECTED: ..."; others get `fallback`.
CodedText SplitCode(std::string_view text, std::string_view fallback) {
  std::size_t end = 0;
  while (end < text.size() && ((text[end] >= 'A' && text[end] <= 'Z') || text[end] == '_')) {
    ++end;
  }
  if (end > 1 && end < text.size() && text[end] == ':') {
    std::string_view rest = text.substr(end + 1);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    return {std::string(text.substr(0, end)), std::string(rest)};
  }
  return {std::string(fallback), std::string(text)};
}

}  // namespace

std::string_view StepName(Step step) {
  switch (step) {
    case Step::kIdle:
      return "idle";
    case Step::kDeciding:
      return "deciding";
    case Step::kTraining:
      return "training";
    case Step::kJoined:
      return "joined";
    case Step::kShared:
      return "shared";
    case Step::kCharging:
      return "charging";
    case Step::kUploading:
      return "uploading";
    case Step::kUploaded:
      return "uploaded";
    case Step::kCommitted:
      return "committed";
    case Step::kUnmasked:
      return "unmasked";
  }
  return "unknown";
}

Session::Session(secagg::ClientIdentity identity, crypto::PeerVerifier& verifier, SecureRng& rng,
                 std::vector<LastAnswered> journal)
    : state_(std::make_unique<State>(std::move(identity), verifier, rng, std::move(journal))) {}
Session::Session(Session&&) noexcept = default;
Session::~Session() = default;

std::vector<Effect> Session::Advance(const Event& event) {
  state_->effects.clear();
  std::visit([this](const auto& e) { state_->On(e); }, event);
  return std::move(state_->effects);
}

void Session::SetBudget(const protocol::BudgetReport& budget) { state_->budget = budget; }

Step Session::step() const { return state_->current ? state_->current->step : Step::kIdle; }

std::optional<protocol::SessionHash> Session::session() const {
  return state_->current ? std::optional(state_->current->offer.session) : std::nullopt;
}

StatusOr<Session::PreparedUpload> Session::PrepareUpload(secagg::RingVector encoded) {
  if (step() != Step::kUploading) {
    return FailedPrecondition(Join(
        "an upload is prepared in step uploading, this session is in step ", StepName(step())));
  }
  Current& current = *state_->current;
  TUTTI_TRY(current.keys->AddMasks(encoded));
  auto vector = std::make_shared<const Bytes>(secagg::ToWire(encoded));
  TUTTI_ASSIGN(secagg::MaskedHeader header, current.keys->HeaderFor(*vector));
  return PreparedUpload{{current.offer.session, std::move(header)}, std::move(vector)};
}

bool Session::State::Is(const protocol::SessionHash& session, Step step) const {
  return current && current->offer.session == session && current->step == step;
}

void Session::State::On(const NoticeArrived& event) {
  std::visit([this](const auto& notice) { Take(notice); }, event.notice);
}

void Session::State::On(const Allowed& event) {
  if (Is(event.session, Step::kDeciding)) {
    current->step = Step::kTraining;
    current->max_staleness = event.max_staleness;
    Emit(Train{current->offer, current->config});
  }
}

void Session::State::On(const Refused& event) {
  if (Is(event.session, Step::kDeciding)) {
    DeclineAndFinish(event.code, event.reason);
  }
}

// The update is ready before the join: what can still go wrong after it is a few short round trips.
void Session::State::On(const Trained& event) {
  if (EndedLate(event.session) || !Is(event.session, Step::kTraining)) {
    return;
  }
  StatusOr<secagg::ClientSession> keys =
      secagg::ClientSession::Start(current->config, identity, &verifier, rng);
  if (!keys.ok()) {
    return FailStep(keys.status(), "CONFIG_REJECTED");
  }
  current->keys.emplace(*std::move(keys));
  current->join = protocol::JoinRequest{current->offer.session, current->keys->JoinMessage()};
  current->step = Step::kJoined;
  Emit(Send{*current->join});
}

void Session::State::On(const TrainingFailed& event) {
  if (!EndedLate(event.session) && Is(event.session, Step::kTraining)) {
    current->step = Step::kDeciding;  // nothing runs that would have to be stopped
    DeclineAndFinish(event.code, event.reason);
  }
}

void Session::State::On(const Charged& event) {
  if (Is(event.session, Step::kCharging)) {
    current->step = Step::kUploading;
    Emit(Upload{event.session});
  }
}

void Session::State::On(const ChargeRefused& event) {
  if (Is(event.session, Step::kCharging)) {
    DeclineAndFinish(event.code, event.reason);
  }
}

void Session::State::On(const Uploaded& event) {
  if (Is(event.session, Step::kUploading)) {
    current->step = Step::kUploaded;
  }
}

void Session::State::On(const Rejected& event) {
  if (!current || current->offer.session != event.session) {
    return;
  }
  // An unmask answer that comes too late hurts nobody: how the round ended is still to be heard.
  if (current->step == Step::kUnmasked) {
    return Warn(Join("the coordinator needed no more shares: ",
                     Escaped(MessageOf(event.status), kMaxReason)));
  }
  Finish(protocol::Outcome::kDropped,
         Join("refused by the coordinator: ", Escaped(TextOf(event.status), kMaxReason)), 0);
}

void Session::State::DeclineAndFinish(std::string code, std::string reason) {
  reason.resize(std::min(reason.size(), kMaxReason));
  declined = current->offer.session;
  Emit(Send{protocol::DeclineRequest{current->offer.session, code, reason, budget}});
  Finish(protocol::Outcome::kDropped, Join(code, ": ", reason), 0);
}

void Session::State::FailStep(const Status& status, std::string_view fallback_code) {
  CodedText text = SplitCode(MessageOf(status), fallback_code);
  DeclineAndFinish(std::move(text.code), std::move(text.reason));
}

void Session::State::Finish(protocol::Outcome outcome, std::string reason,
                            std::uint32_t survivors) {
  if (current->step == Step::kTraining) LeaveTraining();
  Emit(Finished{current->offer.session, outcome, std::move(reason), survivors});
  current.reset();  // wipes the keys
}

void Session::State::LeaveTraining() {
  StopLateTraining();
  if (current->max_staleness == 0) return Emit(StopTraining{current->offer.session});
  late = {current->offer.session, current->config.task_hash, current->config.round,
          current->max_staleness};
}

void Session::State::StopLateTraining() {
  if (!late) return;
  Emit(StopTraining{late->session});
  late.reset();
}

bool Session::State::EndedLate(const protocol::SessionHash& session) {
  if (!late || late->session != session) return false;
  late.reset();
  return true;
}

}  // namespace tutti::session

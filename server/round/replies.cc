#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {
namespace {

constexpr Milliseconds kRetryWithoutJob{1000};
constexpr std::size_t kMaxReason = 512;

}  // namespace

Milliseconds Machine::RetryWindow() const {
  return running_ ? jobs_.at(*running_).settings.retry : kRetryWithoutJob;
}

void Machine::ReplyTo(CallId call, Status status) {
  // Only what may go better later names a time: a broken rule stays broken.
  const bool later =
      status.code() == StatusCode::kFailedPrecondition || status.code() == StatusCode::kAborted;
  const Milliseconds retry = later ? RetryWindow() : Milliseconds{0};
  Emit(Reply{call, std::move(status), retry});
}

void Machine::On(const RequestArrived& event) {
  Status status = Answer(event.client, event.request);
  if (!status.ok()) {
    ++refusals_;
  }
  ReplyTo(event.call, std::move(status));
}

Status Machine::Answer(const ClientId& client, const protocol::Request& request) {
  if (revoked_.contains(client)) {
    return PermissionDenied(Join("client ", client, " is revoked"));
  }
  return std::visit([&](const auto& r) { return Handle(client, r); }, request);
}

Status Machine::FindMember(const ClientId& client, const protocol::SessionHash& session,
                           bool out_is_fine) {
  const Attempt* attempt = Current();
  if (attempt == nullptr || !attempt->Has(session)) {
    return FailedPrecondition(Join("LATE: session ", ToHex(BytesView(session).first(4)),
                                   " is not running (any more); wait for the next offer"));
  }
  const auto found = attempt->members.find(client);
  if (found == attempt->members.end() || attempt->groups[found->second.group].session != session) {
    return PermissionDenied(Join("client ", client, " was not invited to this round"));
  }
  if (!out_is_fine && !found->second.out.empty()) {
    return FailedPrecondition(
        Join("LATE: client ", client, " left this round (", found->second.out, ")"));
  }
  if (const Group& group = attempt->groups[found->second.group]; !out_is_fine && !group.live()) {
    return FailedPrecondition(Join("LATE: the round goes on without this group: ", group.lost));
  }
  return OkStatus();
}

// A message that breaks a rule will not get better: its sender is waited for no longer, and hears
// it on its stream too, for the answer to the call may be lost.
Status Machine::Judge(const ClientId& client, Status status) {
  if (status.code() == StatusCode::kInvalidArgument ||
      status.code() == StatusCode::kPermissionDenied ||
      status.code() == StatusCode::kUnauthenticated) {
    const std::string reason = Escaped(MessageOf(status), kMaxReason);
    Member& member = Current()->members.at(client);
    Drop(client, member, Join("this client broke a rule of the round: ", reason));
    member.out = Join("REFUSED: ", reason);
    Say(true, Join("client ", client, " is out of the round: ", reason));
  }
  return status;
}

Status Machine::Handle(const ClientId& client, const protocol::JoinRequest& request) {
  TUTTI_TRY(FindMember(client, request.session, false));
  TUTTI_TRY(Judge(client, GroupOf(client).secagg.AddJoin(client, request.join)));
  Current()->members.at(client).joined = true;
  return OkStatus();
}

Status Machine::Handle(const ClientId& client, const protocol::ShareRequest& request) {
  TUTTI_TRY(FindMember(client, request.session, false));
  TUTTI_TRY(Judge(client, GroupOf(client).secagg.AddShares(client, request.shares)));
  Current()->members.at(client).shared = true;
  return OkStatus();
}

Status Machine::Handle(const ClientId& client, const protocol::CommitRequest& request) {
  TUTTI_TRY(FindMember(client, request.session, false));
  TUTTI_TRY(Judge(client, GroupOf(client).secagg.AddCommit(client, request.commit)));
  Current()->members.at(client).committed = true;
  return OkStatus();
}

Status Machine::Handle(const ClientId& client, const protocol::UnmaskRequest& request) {
  TUTTI_TRY(FindMember(client, request.session, false));
  Attempt& attempt = *Current();
  Member& member = attempt.members.at(client);
  const bool asked =
      attempt.level() == secagg::ThreatLevel::kMalicious ? member.committed : member.masked;
  if (!(std::holds_alternative<Publishing>(phase_) && asked)) {
    TUTTI_TRY(Judge(client, GroupOf(client).secagg.AddUnmask(client, request.unmask)));
  }
  // Once the sum can be opened further shares are not needed, but their sender did what was asked.
  member.unmasked = true;
  attempt.budgets.emplace(client, request.budget);
  return OkStatus();
}

Status Machine::Handle(const ClientId& client, const protocol::DeclineRequest& request) {
  TUTTI_TRY(FindMember(client, request.session, true));
  Member& member = Current()->members.at(client);
  if (!member.out.empty() || member.closed) {
    return OkStatus();
  }
  member.out = Join(Escaped(request.code, 64), ": ", Escaped(request.reason, kMaxReason));
  EndUpload(member, Aborted(Join("client ", client, " declined the round")));
  if (protocol::IsLastingRefusal(request.code)) {
    RememberRefusal(client, member.out);
  }
  Say(false, Join("client ", client, " sits out: ", member.out));
  return OkStatus();
}

Status Machine::Handle(const ClientId& client, const protocol::EvaluationReport& request) {
  return RecordEvaluation(client, request);
}

}  // namespace tutti::round::internal

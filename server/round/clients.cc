#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

void Machine::On(const ClientAttached& event) {
  if (revoked_.contains(event.client)) {
    return Refuse(Join("client ", event.client, " is revoked and may not attach"));
  }
  unwilling_.erase(event.client);
  const auto [entry, is_new] = clients_.try_emplace(event.client);
  trainers_ -= !is_new && entry->second.role == Role::kTrainer ? 1U : 0U;
  trainers_ += event.role == Role::kTrainer ? 1U : 0U;
  entry->second = Client{event.role, event.budget};
  if (event.role == Role::kTrainer) {
    enrolled_.insert(event.client);
  }
  if (Attempt* attempt = Current()) {
    if (const auto found = attempt->members.find(event.client); found != attempt->members.end()) {
      found->second.attached = true;
    }
  }
  Tell(event.client, protocol::Welcome{settings_.server_version, event.client.value()});
  SendPending(event.client);
}

// Whatever this client still has to answer, and nothing else.
void Machine::SendPending(const ClientId& client) {
  if (clients_.at(client).role == Role::kEvaluator) {
    for (const JobId& name : order_) {
      const Job& job = jobs_.at(name);
      if (!job.evaluation) {
        continue;
      }
      const auto reports = job.evaluations.find(job.evaluation->round);
      if (reports == job.evaluations.end() || !reports->second.contains(client)) {
        Tell(client, *job.evaluation);
      }
    }
    return;
  }
  const Attempt* attempt = Current();
  if (attempt != nullptr) {
    if (const auto found = attempt->members.find(client); found != attempt->members.end()) {
      if (const auto notice = PendingNotice(client, found->second)) {
        Tell(client, *notice);
      }
      return;
    }
  }
  if (const auto missed = last_closed_.find(client); missed != last_closed_.end()) {
    Tell(client, missed->second);
  }
}

std::optional<protocol::Notice> Machine::PendingNotice(const ClientId& client,
                                                       const Member& member) const {
  const Attempt& attempt = *Current();
  const Group& group = attempt.groups[member.group];
  const bool malicious = attempt.level() == secagg::ThreatLevel::kMalicious;
  if (member.closed) {
    return *member.closed;
  }
  if (!member.out.empty()) {
    return std::nullopt;
  }
  const auto wrap = [&](auto message, auto notice) -> std::optional<protocol::Notice> {
    if (!message.ok()) {
      return std::nullopt;
    }
    return notice(*std::move(message));
  };
  switch (phase()) {
    case Phase::kTraining:
      if (!member.joined) {
        return OfferOf(attempt, group);
      }
      break;
    case Phase::kSharing:
      if (member.joined && !member.shared) {
        return wrap(group.secagg.RosterFor(client), [&](secagg::Roster roster) {
          return protocol::RosterNotice{group.session, std::move(roster)};
        });
      }
      break;
    case Phase::kCollecting:
      if (member.shared && !member.masked) {
        return wrap(group.secagg.BoxesFor(client), [&](secagg::Boxes boxes) {
          return protocol::BoxesNotice{group.session, std::move(boxes)};
        });
      }
      break;
    case Phase::kCommitting:
    case Phase::kUnmasking:
      if (phase() == Phase::kUnmasking && malicious) {
        if (member.committed && !member.unmasked) {
          return wrap(group.secagg.CertificateFor(client),
                      [&](secagg::CommitCertificate certificate) {
                        return protocol::CertificateNotice{group.session, std::move(certificate)};
                      });
        }
      } else if (member.masked && !member.committed && !member.unmasked) {
        return wrap(group.secagg.SurvivorsMessage(), [&](secagg::Survivors survivors) {
          return protocol::SurvivorsNotice{group.session, std::move(survivors)};
        });
      }
      break;
    case Phase::kIdle:
    case Phase::kSelecting:
    case Phase::kPublishing:
      break;
  }
  return std::nullopt;
}

void Machine::On(const ClientDetached& event) {
  const auto found = clients_.find(event.client);
  if (found == clients_.end()) {
    return;
  }
  trainers_ -= found->second.role == Role::kTrainer ? 1U : 0U;
  clients_.erase(found);
  unwilling_.erase(event.client);
  if (Attempt* attempt = Current()) {
    if (const auto member = attempt->members.find(event.client); member != attempt->members.end()) {
      member->second.attached = false;
      member->second.detached_at = now_;
    }
  }
}

void Machine::On(const ClientRevoked& event) {
  revoked_.insert(event.client);
  last_closed_.erase(event.client);
  unwilling_.erase(event.client);
  enrolled_.erase(event.client);
  // Its name may be given to another device, which answers for nothing of this one.
  if (suspicion_.Forget(event.client)) {
    RecordStandings();
  }
  if (const auto found = clients_.find(event.client); found != clients_.end()) {
    trainers_ -= found->second.role == Role::kTrainer ? 1U : 0U;
    clients_.erase(found);
  }
  if (Attempt* attempt = Current()) {
    if (const auto found = attempt->members.find(event.client); found != attempt->members.end()) {
      found->second.out = "REVOKED: the operator revoked this client";
      EndUpload(found->second, PermissionDenied(Join("client ", event.client, " is revoked")));
    }
  }
}

// A client whose stream broke may come back within the grace; one that is still uploading is
// evidently there.
bool Machine::Gone(const Member& member) const {
  return !member.attached && !member.upload &&
         now_ >= member.detached_at + settings_.reconnect_grace;
}

void Machine::Drop(const ClientId& client, Member& member, const std::string& reason) {
  if (member.closed || !member.out.empty()) {
    return;
  }
  member.closed = protocol::Closed{Current()->groups[member.group].session,
                                   protocol::Outcome::kDropped,
                                   reason,
                                   0,
                                   {},
                                   RetryWindow()};
  Tell(client, *member.closed);
}

}  // namespace tutti::round::internal

#include <algorithm>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

bool Machine::IsOver(const Exchange& exchange, const Tally& tally) const {
  return tally.waiting == 0 || now_ >= exchange.deadline;
}

// What the new phase asks of a member; whoever was told that it is over for it hears nothing more.
void Machine::TellStep(const ClientId& client, const Member& member) {
  if (member.closed) {
    return;
  }
  if (const auto notice = PendingNotice(client, member)) {
    Tell(client, *notice);
  }
}

bool Machine::CloseTrainingIfDue(Training& training) {
  const Tally tally = Count();
  const JobSettings& job = Running().settings;
  const std::uint32_t needed = job.config.min_cohort;
  if (tally.done < job.cohort_size && !IsOver(training, tally) &&
      tally.done + tally.waiting >= needed) {
    return false;
  }
  if (tally.done < needed) {
    FailAttempt(Join("only ", tally.done, " of ", training.attempt.members.size(),
                     " invited clients joined, at least ", needed, " are needed"));
    return true;
  }
  if (const Status status = training.attempt.secagg.CloseJoins(); !status.ok()) {
    FailAttempt(std::string(MessageOf(status)));
    return true;
  }
  const bool full = tally.done >= job.cohort_size;
  Attempt attempt = std::move(training.attempt);
  phase_ = Sharing{{std::move(attempt), now_ + job.share}};
  for (auto& [client, member] : Current()->members) {
    if (!member.joined) {
      Drop(
          client, member,
          full ? "the cohort is complete without this client" : "this client did not join in time");
    } else {
      TellStep(client, member);
    }
  }
  return true;
}

bool Machine::CloseSharingIfDue(Sharing& sharing) {
  if (!IsOver(sharing, Count())) {
    return false;
  }
  if (const Status status = sharing.attempt.secagg.CloseShares(); !status.ok()) {
    FailAttempt(std::string(MessageOf(status)));
    return true;
  }
  Attempt attempt = std::move(sharing.attempt);
  attempt.sum_open = true;
  Emit(BeginSum{attempt.session, attempt.config.layout()});
  phase_ = Collecting{{std::move(attempt), now_ + Running().settings.upload}};
  for (auto& [client, member] : Current()->members) {
    if (member.joined && !member.shared) {
      Drop(client, member, "this client shared no keys in time");
    } else {
      TellStep(client, member);
    }
  }
  return true;
}

bool Machine::CloseCollectingIfDue(Collecting& collecting) {
  if (!IsOver(collecting, Count())) {
    return false;
  }
  if (const Status status = collecting.attempt.secagg.CloseMasked(); !status.ok()) {
    FailAttempt(std::string(MessageOf(status)));
    return true;
  }
  EndUploads("LATE: the masked inputs of this round are closed");
  Attempt attempt = std::move(collecting.attempt);
  for (const ClientId& client : attempt.secagg.SurvivorSet()) {
    attempt.survivors.push_back(client);
  }
  // Durable before anyone answers it: after a crash nobody is asked about another set of this
  // attempt.
  Emit(PersistSurvivors{attempt.session, attempt.job, attempt.config.round, attempt.config.attempt,
                        attempt.survivors});
  if (attempt.config.level == secagg::ThreatLevel::kMalicious) {
    phase_ = Committing{{std::move(attempt), now_ + Running().settings.commit}};
  } else {
    phase_ = Unmasking{{std::move(attempt), now_ + Running().settings.unmask}, {}, {}};
  }
  for (auto& [client, member] : Current()->members) {
    if (member.shared && !member.masked) {
      Drop(client, member, "this client's masked input did not arrive in time");
    } else {
      TellStep(client, member);
    }
  }
  return true;
}

bool Machine::CloseCommittingIfDue(Committing& committing) {
  if (!IsOver(committing, Count())) {
    return false;
  }
  if (const Status status = committing.attempt.secagg.CloseCommits(); !status.ok()) {
    FailAttempt(std::string(MessageOf(status)));
    return true;
  }
  Attempt attempt = std::move(committing.attempt);
  phase_ = Unmasking{{std::move(attempt), now_ + Running().settings.unmask}, {}, {}};
  for (auto& [client, member] : Current()->members) {
    TellStep(client, member);
  }
  return true;
}

bool Machine::CloseUnmaskingIfDue(Unmasking& unmasking) {
  const std::size_t answers = unmasking.attempt.secagg.unmasked();
  if (!unmasking.can_rebuild && unmasking.asked_at != answers) {
    unmasking.asked_at = answers;
    if (unmasking.attempt.secagg.CanRebuild()) {
      unmasking.can_rebuild = now_;
    }
  }
  const bool lingered =
      unmasking.can_rebuild && now_ >= *unmasking.can_rebuild + settings_.unmask_linger;
  if (!lingered && !IsOver(unmasking, Count())) {
    return false;
  }
  if (!unmasking.can_rebuild) {
    FailAttempt(Join("only ", answers, " of ", unmasking.attempt.survivors.size(),
                     " survivors unmasked, too few to open the sum"));
    return true;
  }
  Publishable(std::move(unmasking.attempt));
  return true;
}

}  // namespace tutti::round::internal

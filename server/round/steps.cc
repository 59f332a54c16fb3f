#include <algorithm>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {
namespace {

std::string TooFewJoined(const Attempt& attempt, const Group& group, const Tally& tally) {
  const auto invited = std::count_if(
      attempt.members.begin(), attempt.members.end(),
      [&](const auto& entry) { return &attempt.groups[entry.second.group] == &group; });
  return Join("only ", tally.done, " of ", invited, " invited clients joined, at least ",
              group.config.min_cohort, " are needed");
}

// The masks that are left in the group's sum.
Status Rebuild(Group& group) {
  if (!group.can_rebuild) {
    return FailedPrecondition(Join("only ", group.secagg.unmasked(), " of ", group.survivors.size(),
                                   " survivors unmasked, too few to open the sum"));
  }
  TUTTI_ASSIGN(group.masks, group.secagg.Rebuild());
  return OkStatus();
}

}  // namespace

bool Machine::IsOver(const Exchange& exchange, const Tallies& tallies) const {
  return tallies.all.waiting == 0 || now_ >= exchange.deadline;
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
  const Tallies tallies = Count();
  const std::uint32_t needed = Running().settings.config.min_cohort;
  bool hopeless = false;  // some group cannot become large enough any more
  bool complete = true;   // every group has its goal or nobody left to wait for
  for (std::size_t place = 0; place < tallies.groups.size(); ++place) {
    const Group& group = training.attempt.groups[place];
    const Tally& tally = tallies.groups[place];
    hopeless = hopeless || (group.live() && tally.done + tally.waiting < needed);
    complete = complete && (!group.live() || tally.done >= group.goal || tally.waiting == 0);
  }
  const bool over = complete || now_ >= training.deadline;
  if (!over && !hopeless) {
    return false;
  }
  const bool goes_on = KeepGroups([&](Group& group, const Tally& tally) {
    const bool can = tally.done >= needed || (!over && tally.done + tally.waiting >= needed);
    return can ? OkStatus() : FailedPrecondition(TooFewJoined(training.attempt, group, tally));
  });
  if (!goes_on || !over) {
    return true;
  }
  if (!KeepGroups([](Group& group, const Tally&) { return group.secagg.CloseJoins(); })) {
    return true;
  }
  Attempt attempt = std::move(training.attempt);
  phase_ = Sharing{{std::move(attempt), now_ + Running().settings.share}};
  for (auto& [client, member] : Current()->members) {
    if (!member.joined) {
      const bool full = tallies.groups[member.group].done >= Current()->groups[member.group].goal;
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
  if (!KeepGroups([](Group& group, const Tally&) { return group.secagg.CloseShares(); })) {
    return true;
  }
  Attempt attempt = std::move(sharing.attempt);
  for (Group& group : attempt.groups) {
    if (group.live()) {
      group.sum_open = true;
      Emit(BeginSum{group.session, group.config.layout()});
    }
  }
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
  if (!KeepGroups([](Group& group, const Tally&) { return group.secagg.CloseMasked(); })) {
    return true;
  }
  EndUploads("LATE: the masked inputs of this round are closed");
  Attempt attempt = std::move(collecting.attempt);
  for (Group& group : attempt.groups) {
    if (!group.live()) {
      continue;
    }
    for (const ClientId& client : group.secagg.SurvivorSet()) {
      group.survivors.push_back(client);
    }
    // Durable before anyone answers it: after a crash nobody is asked about another set of this
    // attempt.
    Emit(PersistSurvivors{group.session, attempt.job, attempt.round(), attempt.number(),
                          group.survivors});
  }
  if (attempt.level() == secagg::ThreatLevel::kMalicious) {
    phase_ = Committing{{std::move(attempt), now_ + Running().settings.commit}};
  } else {
    phase_ = Unmasking{{std::move(attempt), now_ + Running().settings.unmask}, {}};
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
  if (!KeepGroups([](Group& group, const Tally&) { return group.secagg.CloseCommits(); })) {
    return true;
  }
  Attempt attempt = std::move(committing.attempt);
  phase_ = Unmasking{{std::move(attempt), now_ + Running().settings.unmask}, {}};
  for (auto& [client, member] : Current()->members) {
    TellStep(client, member);
  }
  return true;
}

bool Machine::CloseUnmaskingIfDue(Unmasking& unmasking) {
  const Tallies tallies = Count();
  bool any = false;     // some sum can be opened
  bool settled = true;  // and for none of the others it is worth waiting
  for (std::size_t place = 0; place < tallies.groups.size(); ++place) {
    Group& group = unmasking.attempt.groups[place];
    if (!group.live()) {
      continue;
    }
    const std::size_t answers = group.secagg.unmasked();
    if (!group.can_rebuild && group.asked_at != answers) {
      group.asked_at = answers;
      group.can_rebuild = group.secagg.CanRebuild();
    }
    any = any || group.can_rebuild;
    settled = settled && (group.can_rebuild || tallies.groups[place].waiting == 0);
  }
  if (any && settled && !unmasking.settled) {
    unmasking.settled = now_;
  }
  const bool lingered = unmasking.settled && now_ >= *unmasking.settled + settings_.unmask_linger;
  if (!lingered && !IsOver(unmasking, tallies)) {
    return false;
  }
  if (KeepGroups([](Group& group, const Tally&) { return Rebuild(group); })) {
    Publishable(std::move(unmasking.attempt));
  }
  return true;
}

}  // namespace tutti::round::internal

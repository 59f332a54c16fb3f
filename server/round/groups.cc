// An attempt's secure sums side by side: which can go on, and what happens to those that cannot.
#include <algorithm>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

bool Attempt::Has(const protocol::SessionHash& session) const {
  return std::any_of(groups.begin(), groups.end(),
                     [&](const Group& group) { return group.session == session; });
}

Group& Machine::GroupOf(const ClientId& client) {
  Attempt& attempt = *Current();
  return attempt.groups[attempt.members.at(client).group];
}

// For texts: which of several groups is meant.
std::string Machine::NameOf(const Attempt& attempt, std::size_t place) {
  return attempt.groups.size() == 1 ? "" : Join("group ", place + 1, ": ");
}

std::string Machine::WhatWasLost(const Attempt& attempt) {
  std::vector<std::string> reasons;
  for (std::size_t place = 0; place < attempt.groups.size(); ++place) {
    if (const Group& group = attempt.groups[place]; !group.live()) {
      reasons.push_back(NameOf(attempt, place) + group.lost);
    }
  }
  return JoinWith(reasons, "; ");
}

bool Machine::KeepGroups(const std::function<Status(Group&, const Tally&)>& go_on) {
  Attempt& attempt = *Current();
  const Tallies tallies = Count();
  std::vector<std::size_t> lost;
  std::size_t live = 0;
  for (std::size_t place = 0; place < attempt.groups.size(); ++place) {
    Group& group = attempt.groups[place];
    if (!group.live()) {
      continue;
    }
    if (const Status status = go_on(group, tallies.groups[place]); status.ok()) {
      ++live;
    } else {
      group.lost = std::string(MessageOf(status));
      lost.push_back(place);
    }
  }
  if (live < Running().settings.groups_needed) {
    FailAttempt(WhatWasLost(attempt));
    return false;
  }
  for (const std::size_t place : lost) {
    Leave(attempt, place);
  }
  return true;
}

void Machine::Leave(Attempt& attempt, std::size_t place) {
  Group& group = attempt.groups[place];
  Say(true, Join("job ", attempt.job, " round ", attempt.round(), " attempt ", attempt.number(),
                 " goes on without ", NameOf(attempt, place), Escaped(group.lost, 512)));
  for (auto& [client, member] : attempt.members) {
    if (member.group == place) {
      EndUpload(member, FailedPrecondition("LATE: the round goes on without this group"));
      Drop(client, member, Join("the round goes on without this group: ", group.lost));
    }
  }
  if (group.sum_open) {
    group.sum_open = false;
    Emit(DropSum{group.session});
  }
}

}  // namespace tutti::round::internal

#include <algorithm>

#include "common/base/text.h"
#include "server/cohort/cohort.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

bool Machine::SelectIfDue(const Selecting& selecting) {
  if (now_ < selecting.opens) {
    return false;
  }
  const JobSettings& job = Running().settings;
  const std::size_t willing = Willing();
  const bool due = now_ >= selecting.deadline;
  // Who refused was there and had its say: it is not waited for.
  if (willing >= ClientsNeeded(job) && (trainers_ >= job.cohort_size || due)) {
    StartAttempt();
    return true;
  }
  if (due && trainers_ >= ClientsNeeded(job)) {
    if (auto reason = NoRoundPossible(willing)) {
      GiveUp(Running(), *std::move(reason));
      return true;
    }
  }
  if (due) {
    // A job without clients waits; it does not fail. The window starts again, so that those who
    // come one after the other get the time to come together.
    Say(true, Join("job ", job.name, " waits for clients: ", trainers_, " attached, at least ",
                   ClientsNeeded(job), " needed",
                   unwilling_.empty() ? "" : Join(", ", unwilling_.size(), " refused"),
                   ExcludedAttached() == 0
                       ? ""
                       : Join(", ", ExcludedAttached(), " excluded (tutti clients)")));
    phase_ = Selecting{now_, now_ + job.select};
  }
  return false;
}

// `place` of the group among the attempt's. Its configuration is the next attempt's.
StatusOr<Group> Machine::OpenGroup(const Job& job, std::uint32_t place) {
  const secagg::RoundConfig config =
      ConfigOf(job.settings, job.rounds_done + 1, job.attempt, place, job.model.sha256, rng_);
  TUTTI_ASSIGN(secagg::ServerSession session, secagg::ServerSession::Open(config, &verifier_));
  const protocol::SessionHash hash = session.config_hash();
  return Group{.config = config,
               .session = hash,
               .secagg = std::move(session),
               .goal = GoalOf(job.settings, place),
               .survivors = {},
               .sum_open = false,
               .lost = {},
               .asked_at = {},
               .can_rebuild = false,
               .masks = {}};
}

StatusOr<Attempt> Machine::OpenAttempt(Job& job) {
  ++job.attempt;
  Attempt attempt{job.settings.name, {}, now_, job.failures_of_round, {}, {}, 0};
  for (std::uint32_t place = 0; place < job.settings.config.groups; ++place) {
    TUTTI_ASSIGN(Group group, OpenGroup(job, place));
    attempt.groups.push_back(std::move(group));
  }
  return attempt;
}

void Machine::StartAttempt() {
  Job& job = Running();
  StatusOr<Attempt> opened = OpenAttempt(job);
  if (!opened.ok()) {
    // No client can change this: the settings have no safe round.
    return GiveUp(job, std::string(MessageOf(opened.status())));
  }
  std::vector<ClientId> available = Available(*opened);
  std::vector<ClientId> invited =
      cohort::ChooseCohort(std::move(available), revoked_, MostInvited(job.settings), rng_);
  const std::size_t groups = opened->groups.size();
  std::string split;
  if (groups > 1) {
    split = Join(" in ", groups, " groups");
  }
  Say(false, Join("job ", job.settings.name, " round ", opened->round(), " attempt ",
                  opened->number(), ": ", invited.size(), " clients invited", split));
  const auto drawn = cohort::SplitIntoGroups(std::move(invited), groups, suspicion_, rng_);
  for (std::size_t place = 0; place < groups; ++place) {
    for (const ClientId& client : drawn[place]) {
      opened->members.emplace(client, Member{}).first->second.group = place;
    }
  }
  phase_ = Training{{*std::move(opened), now_ + job.settings.train}};
  const Attempt& attempt = *Current();
  for (const Group& group : attempt.groups) {
    const protocol::Offer offer = OfferOf(attempt, group);
    for (const auto& [client, member] : attempt.members) {
      if (&attempt.groups[member.group] == &group) {
        Tell(client, offer);
      }
    }
  }
}

protocol::Offer Machine::OfferOf(const Attempt& attempt, const Group& group) const {
  const Job& job = jobs_.at(attempt.job);
  return protocol::Offer{.session = group.session,
                         .config = secagg::Encode(group.config),
                         .task = job.settings.task,
                         .model_bytes = job.model.bytes,
                         .train_left = PhaseDeadline() - now_};
}

}  // namespace tutti::round::internal

// Spoiled sums: what they say about the clients in them, and who is not invited for it.
#include <algorithm>

#include "common/base/text.h"
#include "common/secagg/graph.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

void Machine::On(const ClientReadmitted& event) {
  if (suspicion_.Forget(event.client)) {
    RecordStandings();
  }
}

void Machine::On(const SuspicionRestored& event) {
  suspicion_.Restore(event.record);
  enrolled_.insert(event.trainers.begin(), event.trainers.end());
}

// Trainers that are attached, excluded, and do not refuse anyway.
std::size_t Machine::ExcludedAttached() const {
  const auto& standings = suspicion_.record().clients;
  return static_cast<std::size_t>(
      std::count_if(standings.begin(), standings.end(), [this](const auto& entry) {
        const auto client = clients_.find(entry.first);
        return !entry.second.excluded.empty() && client != clients_.end() &&
               client->second.role == Role::kTrainer && !unwilling_.contains(entry.first);
      }));
}

// Whom the attempt may invite.
std::vector<ClientId> Machine::Available(Attempt& attempt) {
  std::vector<ClientId> available;
  for (const auto& [name, client] : clients_) {
    if (client.role == Role::kTrainer && !unwilling_.contains(name) &&
        !suspicion_.IsExcluded(name)) {
      available.push_back(name);
    }
  }
  const Job& job = Running();
  const cohort::SittingOut out = suspicion_.WhoSitsOut(
      available, FewestLeft(job.settings, available.size(), job.unspoiled_failures), rng_);
  attempt.suspects_needed = out.needed;
  if (!out.clients.empty() || out.needed > 0) {
    Say(out.needed > 0,
        Join("job ", attempt.job, " round ", attempt.round(), " attempt ", attempt.number(), ": ",
             out.clients.size(), " suspects of spoiled sums sit out",
             out.needed == 0
                 ? ""
                 : Join(", ", out.needed,
                        " more should and take part because too few others are there")));
  }
  std::erase_if(available, [&](const ClientId& name) { return out.clients.contains(name); });
  return available;
}

// The share is one of everybody, not of those who happen to be there: liars may be there when
// others are not.
cohort::Assumption Machine::Assumed(const Job& job) const {
  const auto population = static_cast<std::uint32_t>(suspicion_.CountClients(enrolled_));
  return {secagg::FractionOf(population, job.settings.config.corrupt_fraction), population};
}

// What the checks of the open sums say. True: some sum was spoiled.
bool Machine::TakeVerdicts(Attempt& attempt, const std::vector<OpenedSum>& sums) {
  bool spoiled = false;
  bool changed = false;
  for (std::size_t place = 0; place < attempt.groups.size(); ++place) {
    Group& group = attempt.groups[place];
    const auto sum = std::find_if(sums.begin(), sums.end(), [&](const OpenedSum& one) {
      return one.session == group.session;
    });
    if (sum == sums.end() || !group.live()) {
      continue;
    }
    group.lost = sum->spoiled;
    if (group.live()) {
      changed = suspicion_.Passed(group.survivors) || changed;
      continue;
    }
    spoiled = true;
    suspicion_.Spoiled({group.session, group.survivors});
    Say(true, Join("job ", attempt.job, " round ", attempt.round(), " attempt ", attempt.number(),
                   " has a spoiled sum: ", NameOf(attempt, place), Escaped(group.lost, 512)));
  }
  if (spoiled) {
    ExcludeOffenders(jobs_.at(attempt.job));
  }
  if (changed || spoiled) {
    RecordStandings();
  }
  return spoiled;
}

void Machine::ExcludeOffenders(const Job& job) {
  if (!job.settings.exclude_offenders) {
    return;
  }
  for (const ClientId& client : suspicion_.Exclude(Assumed(job))) {
    Say(true, Join("client ", client, " is excluded from all rounds: ",
                   suspicion_.record().clients.at(client).excluded,
                   "; have its owner check the device, then: tutti clients readmit ", client));
  }
}

}  // namespace tutti::round::internal

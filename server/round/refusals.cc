// Clients whose owner or budget says no to the running job: asking them again changes nothing.
#include <algorithm>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {
namespace {

constexpr std::size_t kQuoted = 3;  // refusals given in their own words
constexpr std::size_t kNamed = 10;  // refusals given by name

}  // namespace

// Known while the client stays attached: one that comes back may come with other rules.
void Machine::RememberRefusal(const ClientId& client, const std::string& words) {
  const auto attached = clients_.find(client);
  if (attached != clients_.end() && attached->second.role == Role::kTrainer) {
    unwilling_.insert_or_assign(client, words);
  }
}

// Trainers that may be invited: attached, not excluded, and not known to refuse.
std::size_t Machine::Willing() const { return trainers_ - unwilling_.size() - ExcludedAttached(); }

// Willing ones, and members of this attempt that said nothing against it and may come back.
std::size_t Machine::MayTakePart(const Attempt& attempt) const {
  return Willing() + static_cast<std::size_t>(std::count_if(
                         attempt.members.begin(), attempt.members.end(), [](const auto& entry) {
                           return !entry.second.attached && entry.second.out.empty();
                         }));
}

// Why no round of the running job is possible when `able` clients could take part; nothing when
// one is, or when the refusals are not to blame.
std::optional<std::string> Machine::NoRoundPossible(std::size_t able) const {
  const Job& job = jobs_.at(*running_);
  if (unwilling_.empty() || able >= ClientsNeeded(job.settings)) {
    return std::nullopt;
  }
  std::vector<std::string> clients;
  for (const auto& [client, words] : unwilling_) {
    if (clients.size() == kNamed) {
      clients.push_back(Join(unwilling_.size() - kNamed, " more"));
      break;
    }
    clients.push_back(clients.size() < kQuoted ? Join(client, " (", words, ")") : client.value());
  }
  return Join(
      "no round is possible: ", unwilling_.size(), " of ", unwilling_.size() + able,
      " clients refuse the job and at least ", ClientsNeeded(job.settings),
      " have to take part; refused by ", JoinWith(clients, ", "),
      "; have their owners change policy.toml or bring more clients, then resume the job, or "
      "submit one that asks less under another name");
}

}  // namespace tutti::round::internal

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/crypto/hash.h"
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
  if (willing >= job.config.min_cohort && (trainers_ >= job.cohort_size || due)) {
    StartAttempt();
    return true;
  }
  if (due && trainers_ >= job.config.min_cohort) {
    if (auto reason = NoRoundPossible(willing)) {
      GiveUp(Running(), *std::move(reason));
      return true;
    }
  }
  if (due) {
    // A job without clients waits; it does not fail. The window starts again, so that those who
    // come one after the other get the time to come together.
    Say(true, Join("job ", job.name, " waits for clients: ", trainers_, " attached, at least ",
                   job.config.min_cohort, " needed",
                   unwilling_.empty() ? "" : Join(", ", unwilling_.size(), " refused")));
    phase_ = Selecting{now_, now_ + job.select};
  }
  return false;
}

StatusOr<Attempt> Machine::OpenAttempt(Job& job) {
  secagg::RoundConfig config = job.settings.config;
  config.job = job.settings.name.value();
  config.round = job.rounds_done + 1;
  config.attempt = ++job.attempt;
  config.model_hash = job.model.sha256;
  config.task_hash = crypto::Sha256(job.settings.task);
  rng_.Fill(config.server_nonce);
  TUTTI_ASSIGN(secagg::ServerSession session, secagg::ServerSession::Open(config, &verifier_));
  const protocol::SessionHash hash = session.config_hash();
  return Attempt{job.settings.name,
                 config,
                 hash,
                 std::move(session),
                 now_,
                 job.failures_of_round,
                 {},
                 {},
                 {},
                 false};
}

void Machine::StartAttempt() {
  Job& job = Running();
  StatusOr<Attempt> opened = OpenAttempt(job);
  if (!opened.ok()) {
    // No client can change this: the settings have no safe round.
    return GiveUp(job, std::string(MessageOf(opened.status())));
  }
  std::vector<ClientId> available;
  for (const auto& [name, client] : clients_) {
    if (client.role == Role::kTrainer && !unwilling_.contains(name)) {
      available.push_back(name);
    }
  }
  const auto target =
      static_cast<std::size_t>(std::ceil(job.settings.cohort_size * job.settings.over_selection));
  const std::vector<ClientId> invited =
      cohort::ChooseCohort(std::move(available), revoked_, target, rng_);
  for (const ClientId& client : invited) {
    opened->members.emplace(client, Member{});
  }
  Say(false, Join("job ", job.settings.name, " round ", opened->config.round, " attempt ",
                  opened->config.attempt, ": ", invited.size(), " clients invited"));
  phase_ = Training{{*std::move(opened), now_ + job.settings.train}};
  const protocol::Offer offer = OfferOf(*Current());
  for (const ClientId& client : invited) {
    Tell(client, offer);
  }
}

protocol::Offer Machine::OfferOf(const Attempt& attempt) const {
  const Job& job = jobs_.at(attempt.job);
  return protocol::Offer{.session = attempt.session,
                         .config = secagg::Encode(attempt.config),
                         .task = job.settings.task,
                         .model_bytes = job.model.bytes,
                         .train_left = PhaseDeadline() - now_};
}

}  // namespace tutti::round::internal

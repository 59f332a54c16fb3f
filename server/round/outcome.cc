#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

RoundReport Machine::ReportOf(const Attempt& attempt) const {
  RoundReport report;
  report.job = attempt.job;
  report.round = attempt.config.round;
  report.attempt = attempt.config.attempt;
  report.session = attempt.session;
  report.survivors = attempt.survivors;
  report.budgets = attempt.budgets;
  report.duration = now_ - attempt.started;
  report.failures = attempt.failures_before;
  for (const auto& [client, member] : attempt.members) {
    report.invited.push_back(client);
    if (!member.out.empty()) {
      report.declined.emplace(client, member.out);
    }
  }
  return report;
}

// `attempt` was moved out of the phase that ended: until it lies in the next one no other member
// function may run.
void Machine::Publishable(Attempt attempt) {
  StatusOr<std::vector<secagg::LeftoverMask>> masks = attempt.secagg.Rebuild();
  Attempt& held = phase_.emplace<Publishing>(Publishing{std::move(attempt)}).attempt;
  if (!masks.ok()) {
    return FailAttempt(std::string(MessageOf(masks.status())));
  }
  Emit(Publish{held.session, held.config, *std::move(masks), ReportOf(held)});
}

void Machine::On(const Published& event) {
  auto* publishing = std::get_if<Publishing>(&phase_);
  if (publishing == nullptr || publishing->attempt.session != event.session) {
    return Refuse(
        Join("session ", ToHex(BytesView(event.session).first(4)), " is not being published"));
  }
  Attempt& attempt = publishing->attempt;
  Job& job = Running();
  job.rounds_done = attempt.config.round;
  job.model = event.model;
  job.attempt = 0;
  job.failures_in_row = 0;
  job.failures_of_round = 0;
  const auto survivors = static_cast<std::uint32_t>(attempt.survivors.size());
  CloseMembers(attempt, protocol::Closed{attempt.session, protocol::Outcome::kPublished, "",
                                         survivors, event.sum_hash, Milliseconds{0}});
  Say(false, Join("job ", job.settings.name, " round ", job.rounds_done, " published: ", survivors,
                  " of ", attempt.members.size(), " clients in the sum"));
  phase_ = Idle{};
  RememberEvaluation(job);
  if (job.rounds_done >= job.settings.rounds) {
    ChangeJob(job, JobState::kDone, "");
    running_.reset();
  } else if (job.state == JobState::kRunning) {
    NextRound(now_);
  } else {
    running_.reset();  // stopped meanwhile
  }
}

// From the closing of the masked inputs on: the shell could not store the survivor set, or could
// not publish.
void Machine::On(const PublishFailed& event) {
  const Attempt* attempt = Current();
  if (attempt == nullptr || attempt->session != event.session || phase() < Phase::kCommitting) {
    return Refuse(
        Join("session ", ToHex(BytesView(event.session).first(4)), " is not being published"));
  }
  FailAttempt(event.reason);
}

void Machine::FailAttempt(const std::string& reason) {
  std::optional<std::string> hopeless = NoRoundPossible(MayTakePart(*Current()));
  EndAttempt(reason);
  Job& job = Running();
  phase_ = Idle{};
  ++job.failures_in_row;
  ++job.failures_of_round;
  job.last_reason = reason;
  job.not_before = now_ + job.settings.retry;
  if (job.state != JobState::kRunning) {
    running_.reset();  // stopped meanwhile
  } else if (hopeless) {
    GiveUp(job, *std::move(hopeless));
  } else if (job.failures_in_row >= job.settings.max_failures) {
    GiveUp(job, Join(job.failures_in_row, " attempts failed in a row, the last one: ", reason));
  } else {
    NextRound(job.not_before);
  }
}

void Machine::GiveUp(Job& job, std::string reason) {
  phase_ = Idle{};
  ChangeJob(job, JobState::kFailed, std::move(reason));
  running_.reset();
}

void Machine::EndAttempt(const std::string& reason) {
  Attempt* attempt = Current();
  if (attempt == nullptr) {
    return;
  }
  Emit(RecordFailure{ReportOf(*attempt), reason});
  EndUploads("LATE: this attempt of the round failed");
  if (attempt->sum_open) {
    Emit(DropSum{attempt->session});
  }
  CloseMembers(
      *attempt,
      protocol::Closed{attempt->session, protocol::Outcome::kFailed, reason, 0, {}, RetryWindow()});
  Say(true, Join("job ", attempt->job, " round ", attempt->config.round, " attempt ",
                 attempt->config.attempt, " failed: ", Escaped(reason, 512)));
}

// Tells everyone who was not told before, and remembers it for those whose stream is down. Whoever
// left by itself or was revoked knows.
void Machine::CloseMembers(Attempt& attempt, const protocol::Closed& closed) {
  last_closed_.clear();
  for (auto& [client, member] : attempt.members) {
    if (!member.closed && member.out.empty()) {
      member.closed = closed;
      Tell(client, closed);
    }
    if (member.closed) {
      last_closed_.emplace(client, *member.closed);
    }
  }
}

void Machine::NextRound(Instant opens) {
  phase_ = Selecting{opens, opens + Running().settings.select};
}

}  // namespace tutti::round::internal

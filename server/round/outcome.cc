#include <algorithm>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

RoundReport Machine::ReportOf(const Attempt& attempt) const {
  RoundReport report;
  report.job = attempt.job;
  report.round = attempt.round();
  report.attempt = attempt.number();
  report.session = attempt.session();
  report.budgets = attempt.budgets;
  report.duration = now_ - attempt.started;
  report.failures = attempt.failures_before;
  for (const Group& group : attempt.groups) {
    report.groups.push_back({group.session, {}, group.survivors, group.lost});
    if (group.live()) {
      report.survivors.insert(report.survivors.end(), group.survivors.begin(),
                              group.survivors.end());
    }
  }
  std::sort(report.survivors.begin(), report.survivors.end());
  for (const auto& [client, member] : attempt.members) {
    report.invited.push_back(client);
    report.groups[member.group].invited.push_back(client);
    if (!member.out.empty()) {
      report.declined.emplace(client, member.out);
    }
  }
  return report;
}

// `attempt` was moved out of the phase that ended: until it lies in the next one no other member
// function may run.
void Machine::Publishable(Attempt attempt) {
  Attempt& held = phase_.emplace<Publishing>(Publishing{std::move(attempt)}).attempt;
  Publish publish{{}, Running().settings.groups_needed, ReportOf(held)};
  for (Group& group : held.groups) {
    if (group.live()) {
      publish.sums.push_back(
          {group.session, group.config, std::move(group.masks), group.survivors});
    }
  }
  Emit(std::move(publish));
}

void Machine::On(const Published& event) {
  auto* publishing = std::get_if<Publishing>(&phase_);
  if (publishing == nullptr || publishing->attempt.session() != event.session) {
    return Refuse(
        Join("session ", ToHex(BytesView(event.session).first(4)), " is not being published"));
  }
  Attempt& attempt = publishing->attempt;
  TakeVerdicts(attempt, event.sums);
  Job& job = Running();
  job.rounds_done = attempt.round();
  job.model = event.model;
  job.attempt = 0;
  job.failures_in_row = 0;
  job.failures_of_round = 0;
  job.unspoiled_failures = 0;
  CloseMembers(attempt, [&](const Group& group) {
    if (!group.live()) {
      return protocol::Closed{group.session, protocol::Outcome::kFailed, group.lost, 0, {},
                              RetryWindow()};
    }
    const auto sum = std::find_if(event.sums.begin(), event.sums.end(), [&](const OpenedSum& one) {
      return one.session == group.session;
    });
    return protocol::Closed{group.session,
                            protocol::Outcome::kPublished,
                            "",
                            static_cast<std::uint32_t>(group.survivors.size()),
                            sum == event.sums.end() ? Digest{} : sum->sum_hash,
                            Milliseconds{0}};
  });
  const RoundReport report = ReportOf(attempt);
  std::string groups;
  if (attempt.groups.size() > 1) {
    const auto live = std::count_if(attempt.groups.begin(), attempt.groups.end(),
                                    [](const Group& group) { return group.live(); });
    groups = Join("s of ", live, " of ", attempt.groups.size(), " groups");
  }
  Say(false, Join("job ", job.settings.name, " round ", job.rounds_done,
                  " published: ", report.survivors.size(), " of ", attempt.members.size(),
                  " clients in the sum", groups));
  if (event.evaluated && event.evaluated->round > 0) {
    JudgeLoss(job, event.evaluated->round, event.evaluated->loss);
  }
  phase_ = Idle{};
  RememberEvaluation(job);
  if (job.verdict && job.state == JobState::kRunning && job.rounds_done < job.settings.rounds) {
    CarryOut(job);
  } else if (job.rounds_done >= job.settings.rounds) {
    ChangeJob(job, JobState::kDone, "");
    running_.reset();
  } else if (job.state == JobState::kRunning) {
    NextRound(now_);
  } else {
    running_.reset();  // stopped meanwhile
  }
}

// From the closing of the masked inputs on: the shell could not store a survivor set, or could not
// publish.
void Machine::On(const PublishFailed& event) {
  Attempt* attempt = Current();
  if (attempt == nullptr || !attempt->Has(event.session) || phase() < Phase::kCommitting) {
    return Refuse(
        Join("session ", ToHex(BytesView(event.session).first(4)), " is not being published"));
  }
  Job& job = Running();
  const bool spoiled = TakeVerdicts(*attempt, event.sums);
  FailAttempt(event.reason);
  if (spoiled) {
    job.unspoiled_failures = 0;
  }
}

void Machine::FailAttempt(const std::string& reason) {
  std::optional<std::string> hopeless = NoRoundPossible(MayTakePart(*Current()));
  const std::size_t suspects = Current()->suspects_needed;
  EndAttempt(reason);
  Job& job = Running();
  phase_ = Idle{};
  ++job.failures_in_row;
  ++job.failures_of_round;
  ++job.unspoiled_failures;
  job.last_reason = reason;
  job.not_before = now_ + job.settings.retry;
  if (job.state != JobState::kRunning) {
    running_.reset();  // stopped meanwhile
  } else if (job.verdict) {
    CarryOut(job);
  } else if (hopeless) {
    GiveUp(job, *std::move(hopeless));
  } else if (job.failures_in_row >= job.settings.max_failures) {
    GiveUp(job, Join(job.failures_in_row, " attempts failed in a row, the last one: ", reason,
                     suspects == 0 ? ""
                                   : Join("; ", suspects,
                                          " suspects of spoiled sums had to take part because too "
                                          "few others are there: bring more clients")));
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
  for (const Group& group : attempt->groups) {
    if (group.sum_open) {
      Emit(DropSum{group.session});
    }
  }
  CloseMembers(*attempt, [&](const Group& group) {
    return protocol::Closed{group.session, protocol::Outcome::kFailed, reason, 0, {},
                            RetryWindow()};
  });
  Say(true, Join("job ", attempt->job, " round ", attempt->round(), " attempt ", attempt->number(),
                 " failed: ", Escaped(reason, 512)));
}

// Tells everyone who was not told before, and remembers it for those whose stream is down. Whoever
// left by itself or was revoked knows.
void Machine::CloseMembers(Attempt& attempt,
                           const std::function<protocol::Closed(const Group&)>& closed) {
  last_closed_.clear();
  for (auto& [client, member] : attempt.members) {
    if (!member.closed && member.out.empty()) {
      member.closed = closed(attempt.groups[member.group]);
      Tell(client, *member.closed);
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

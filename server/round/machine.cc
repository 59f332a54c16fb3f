#include "server/round/machine.h"

#include <algorithm>
#include <type_traits>

#include "common/base/text.h"

namespace tutti::round::internal {
namespace {

// Which members a phase waits for, and which of them answered.
bool TakesPart(Phase phase, secagg::ThreatLevel level, const Member& member) {
  switch (phase) {
    case Phase::kTraining:
      return true;
    case Phase::kSharing:
      return member.joined;
    case Phase::kCollecting:
      return member.shared;
    case Phase::kCommitting:
      return member.masked;
    case Phase::kUnmasking:
      return level == secagg::ThreatLevel::kMalicious ? member.committed : member.masked;
    case Phase::kIdle:
    case Phase::kSelecting:
    case Phase::kPublishing:
      return false;
  }
  return false;
}

bool Answered(Phase phase, const Member& member) {
  switch (phase) {
    case Phase::kTraining:
      return member.joined;
    case Phase::kSharing:
      return member.shared;
    case Phase::kCollecting:
      return member.masked;
    case Phase::kCommitting:
      return member.committed;
    case Phase::kUnmasking:
      return member.unmasked;
    case Phase::kIdle:
    case Phase::kSelecting:
    case Phase::kPublishing:
      return false;
  }
  return false;
}

}  // namespace

std::vector<Effect> Machine::Advance(Instant now, const Event& event) {
  now_ = std::max(now_, now);
  effects_.clear();
  // What is due by the clock happens first: an answer that comes after a deadline is late even if
  // nobody looked yet.
  while (CloseIfDue()) {
    tally_.reset();
  }
  std::visit([this](const auto& e) { On(e); }, event);
  tally_.reset();
  Settle();
  return std::move(effects_);
}

void Machine::Settle() {
  while (CloseIfDue()) {
    tally_.reset();
  }
  ReportProgress();
}

bool Machine::CloseIfDue() {
  return std::visit(
      [this](auto& phase) {
        using P = std::decay_t<decltype(phase)>;
        if constexpr (std::is_same_v<P, Idle>) {
          return StartNextJob();
        } else if constexpr (std::is_same_v<P, Selecting>) {
          return SelectIfDue(phase);
        } else if constexpr (std::is_same_v<P, Training>) {
          return CloseTrainingIfDue(phase);
        } else if constexpr (std::is_same_v<P, Sharing>) {
          return CloseSharingIfDue(phase);
        } else if constexpr (std::is_same_v<P, Collecting>) {
          return CloseCollectingIfDue(phase);
        } else if constexpr (std::is_same_v<P, Committing>) {
          return CloseCommittingIfDue(phase);
        } else if constexpr (std::is_same_v<P, Unmasking>) {
          return CloseUnmaskingIfDue(phase);
        } else {
          return false;  // Publishing waits for the store's answer
        }
      },
      phase_);
}

const Attempt* Machine::Current() const {
  return std::visit(
      [](const auto& phase) -> const Attempt* {
        if constexpr (requires { phase.attempt; }) {
          return &phase.attempt;
        } else {
          return nullptr;
        }
      },
      phase_);
}

Attempt* Machine::Current() { return const_cast<Attempt*>(std::as_const(*this).Current()); }

// Counted once for each event: with a thousand members the count is what an event costs.
const Tallies& Machine::Count() const {
  if (!tally_ || (tally_->next_gone && *tally_->next_gone <= now_)) {
    tally_ = CountMembers();
  }
  return *tally_;
}

Tallies Machine::CountMembers() const {
  Tallies tallies;
  const Attempt* attempt = Current();
  if (attempt == nullptr) {
    return tallies;
  }
  tallies.groups.resize(attempt->groups.size());
  for (const auto& [client, member] : attempt->members) {
    if (!attempt->groups[member.group].live() || !TakesPart(phase(), attempt->level(), member)) {
      continue;
    }
    if (Answered(phase(), member)) {
      ++tallies.groups[member.group].done;
    } else if (member.out.empty() && !Gone(member)) {
      ++tallies.groups[member.group].waiting;
      if (!member.attached && !member.upload) {
        const Instant gone = member.detached_at + settings_.reconnect_grace;
        tallies.next_gone = std::min(tallies.next_gone.value_or(gone), gone);
      }
    }
  }
  for (const Tally& group : tallies.groups) {
    tallies.all.done += group.done;
    tallies.all.waiting += group.waiting;
  }
  return tallies;
}

// When the phase ends whatever the clients do; `now_` for phases without an end.
Instant Machine::PhaseDeadline() const {
  return std::visit(
      [this](const auto& phase) {
        using P = std::decay_t<decltype(phase)>;
        if constexpr (std::is_same_v<P, Selecting>) {
          return now_ < phase.opens ? phase.opens : phase.deadline;
        } else if constexpr (std::is_same_v<P, Unmasking>) {
          return phase.settled ? std::min(phase.deadline, *phase.settled + settings_.unmask_linger)
                               : phase.deadline;
        } else if constexpr (std::is_base_of_v<Exchange, P>) {
          return phase.deadline;
        } else {
          return now_;
        }
      },
      phase_);
}

std::optional<Instant> Machine::NextDeadline() const {
  if (std::holds_alternative<Idle>(phase_) || std::holds_alternative<Publishing>(phase_)) {
    return std::nullopt;
  }
  Instant due = PhaseDeadline();
  if (const std::optional<Instant> gone = Count().next_gone) {
    due = std::min(due, *gone);
  }
  return due;
}

std::size_t Machine::Attached(Role role) const {
  return role == Role::kTrainer ? trainers_ : clients_.size() - trainers_;
}

void Machine::ReportProgress() {
  if (!running_ || std::holds_alternative<Idle>(phase_)) {
    last_progress_.reset();
    return;
  }
  const Job& job = jobs_.at(*running_);
  const Tally tally = Count().all;
  Progress progress{*running_, job.rounds_done + 1, phase(), static_cast<std::uint32_t>(tally.done),
                    static_cast<std::uint32_t>(tally.done + tally.waiting)};
  if (phase() == Phase::kSelecting) {
    progress.done = static_cast<std::uint32_t>(Willing());
    progress.expected = job.settings.cohort_size;
  } else if (phase() == Phase::kTraining) {
    progress.expected = std::min(progress.expected, job.settings.cohort_size);
  } else if (phase() == Phase::kPublishing) {
    progress.expected = 1;
  }
  const auto same = [](const Progress& a, const Progress& b) {
    return a.job == b.job && a.round == b.round && a.phase == b.phase && a.done == b.done &&
           a.expected == b.expected;
  };
  if (!last_progress_ || !same(*last_progress_, progress)) {
    last_progress_ = progress;
    Emit(progress);
  }
}

void Machine::Refuse(std::string text) {
  ++refusals_;
  Say(true, std::move(text));
}

}  // namespace tutti::round::internal

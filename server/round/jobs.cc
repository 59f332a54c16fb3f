#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {
namespace {

Status CheckSettings(const JobSettings& settings) {
  if (!IsSafeName(settings.name.value())) {
    return InvalidArgument(
        Join("job name \"", Escaped(settings.name.value()), "\" is not a safe name"));
  }
  if (settings.rounds == 0) {
    return InvalidArgument("job has 0 rounds, expected at least 1");
  }
  const std::uint32_t groups = settings.config.groups;
  if (settings.groups_needed == 0 || settings.groups_needed > groups) {
    return InvalidArgument(
        Join("groups_needed is ", settings.groups_needed, ", expected 1 to ", groups, " (groups)"));
  }
  if (settings.cohort_size < ClientsNeeded(settings) ||
      settings.cohort_size > std::size_t{groups} * settings.config.max_cohort) {
    return InvalidArgument(Join("cohort_size is ", settings.cohort_size, ", expected ",
                                settings.config.min_cohort, " (min_cohort) to ",
                                settings.config.max_cohort, " (max_cohort) for each of ", groups,
                                " groups"));
  }
  if (!std::isfinite(settings.over_selection) || settings.over_selection < 1.0 ||
      settings.over_selection > 10.0) {
    return InvalidArgument(
        Join("over_selection is ", settings.over_selection, ", expected 1 to 10"));
  }
  for (const Milliseconds& span : {settings.select, settings.train, settings.share, settings.upload,
                                   settings.commit, settings.unmask, settings.retry}) {
    if (span <= Milliseconds{0}) {
      return InvalidArgument(
          Join("a step's deadline is ", span.count(), " ms, expected more than 0"));
    }
  }
  secagg::RoundConfig config = settings.config;
  config.job = settings.name.value();
  config.round = 1;
  config.attempt = 1;
  return secagg::CheckRoundConfig(config);
}

bool IsDue(const JobSettings& settings, std::uint64_t round) {
  return settings.evaluate_every != 0 && round != 0 &&
         (round % settings.evaluate_every == 0 || round == settings.rounds);
}

}  // namespace

void Machine::ChangeJob(Job& job, JobState state, std::string reason) {
  job.state = state;
  Emit(JobChanged{job.settings.name, state, std::move(reason)});
}

void Machine::On(const JobSubmitted& event) {
  const JobId& name = event.settings.name;
  if (const auto known = jobs_.find(name); known != jobs_.end()) {
    const JobState state = known->second.state;
    if (state != JobState::kDone && state != JobState::kFailed) {
      return Refuse(Join("job ", Escaped(name.value()), " is ", JobStateName(state),
                         " already; stop it or use another name"));
    }
    std::erase(order_, name);
  }
  Job job;
  job.settings = event.settings;
  job.rounds_done = event.rounds_done;
  job.model = event.model;
  job.attempt = event.last_attempt;
  job.trend = Trend(event.losses, event.models);
  order_.push_back(name);
  Job& stored = jobs_.insert_or_assign(name, std::move(job)).first->second;
  if (const Status status = CheckSettings(event.settings); !status.ok()) {
    return ChangeJob(stored, JobState::kFailed, std::string(MessageOf(status)));
  }
  RememberEvaluation(stored);
  const bool done = stored.rounds_done >= stored.settings.rounds;
  if (event.state == JobState::kDone || (event.state == JobState::kStopped && !done)) {
    stored.state = event.state;  // known: nothing changes by a restart
  } else {
    ChangeJob(stored, done ? JobState::kDone : JobState::kWaiting, "");
  }
}

void Machine::On(const JobStopRequested& event) {
  const auto found = jobs_.find(event.job);
  if (found == jobs_.end()) {
    return Refuse(Join("there is no job ", Escaped(event.job.value()), " to stop"));
  }
  Job& job = found->second;
  if (job.state == JobState::kStopped) {
    return;
  }
  if (job.state == JobState::kDone || job.state == JobState::kFailed) {
    return Refuse(
        Join("job ", event.job, " is ", JobStateName(job.state), ", so there is nothing to stop"));
  }
  const std::string reason = "stopped by the operator";
  // While the store works on the opened sum it is neither taken back nor waited for here: the
  // answer ends the round.
  if (running_ == event.job && !std::holds_alternative<Publishing>(phase_)) {
    EndAttempt(reason);
    phase_ = Idle{};
    running_.reset();
  }
  ChangeJob(job, JobState::kStopped, reason);
}

void Machine::On(const JobResumeRequested& event) {
  const auto found = jobs_.find(event.job);
  if (found == jobs_.end()) {
    return Refuse(Join("there is no job ", Escaped(event.job.value()), " to resume"));
  }
  Job& job = found->second;
  if (job.state == JobState::kWaiting || job.state == JobState::kRunning) {
    return;
  }
  if (job.state == JobState::kDone) {
    return Refuse(Join("job ", event.job, " is done, so there is nothing to resume"));
  }
  if (const Status status = CheckSettings(job.settings); !status.ok()) {
    return ChangeJob(job, JobState::kFailed, std::string(MessageOf(status)));
  }
  job.failures_in_row = 0;
  job.not_before = now_;
  // Stopped while publishing and resumed before the store answered: it never stopped being the
  // running job.
  ChangeJob(job, running_ == event.job ? JobState::kRunning : JobState::kWaiting, "");
}

bool Machine::StartNextJob() {
  const auto next = std::find_if(order_.begin(), order_.end(), [this](const JobId& name) {
    return jobs_.at(name).state == JobState::kWaiting;
  });
  if (next == order_.end()) {
    return false;
  }
  running_ = *next;
  unwilling_.clear();
  ChangeJob(Running(), JobState::kRunning, "");
  NextRound(std::max(now_, Running().not_before));
  return true;
}

// After a round, and after a restart for the model the store has: an evaluation lost with the
// process is done again.
void Machine::RememberEvaluation(Job& job) {
  if (!IsDue(job.settings, job.rounds_done)) {
    return;
  }
  job.trend.Offered(job.rounds_done, job.model);
  if (job.settings.clients_evaluate) return;
  job.evaluation = protocol::EvaluationOffer{job.settings.name.value(), job.rounds_done,
                                             job.settings.task, job.model.sha256, job.model.bytes};
  for (const auto& [name, client] : clients_) {
    if (client.role == Role::kEvaluator) {
      Tell(name, *job.evaluation);
    }
  }
}

Status Machine::RecordEvaluation(const ClientId& client, const protocol::EvaluationReport& report) {
  const auto attached = clients_.find(client);
  if (attached != clients_.end() && attached->second.role != Role::kEvaluator) {
    return PermissionDenied(
        Join("client ", client, " is attached as a trainer; only evaluators report evaluations"));
  }
  const auto found = jobs_.find(JobId(report.job));
  if (found == jobs_.end()) {
    return NotFound(Join("there is no job \"", Escaped(report.job), "\""));
  }
  Job& job = found->second;
  if (report.round > job.rounds_done || !IsDue(job.settings, report.round) ||
      job.settings.clients_evaluate) {
    return FailedPrecondition(
        Join("round ", report.round, " of job ", report.job, " asked for no evaluation"));
  }
  auto& of_round = job.evaluations[report.round];
  const auto [said, first] = of_round.emplace(client, report);
  if (!first) {
    return said->second == report ? OkStatus()
                                  : AlreadyExists(Join("CONFLICT: client ", client,
                                                       " reported another evaluation of round ",
                                                       report.round, " of job ", report.job));
  }
  while (job.evaluations.size() > kEvaluationsKept) {
    job.evaluations.erase(job.evaluations.begin());
  }
  Emit(EvaluationRecorded{report, client});
  JudgeLoss(job, report.round);
  return OkStatus();
}

}  // namespace tutti::round::internal

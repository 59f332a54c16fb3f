#include "server/round/trend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

void Trend::Offered(std::uint64_t round, const ModelRef& model) {
  models_[round] = model;
  const std::uint64_t best = Best().value_or(0);
  for (auto old = models_.begin(); models_.size() > kEvaluationsKept;) {
    old = old->first == best ? std::next(old) : models_.erase(old);
  }
}

void Trend::Evaluated(std::uint64_t round, double loss) {
  losses_[round] = std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity();
}

void Trend::DropAfter(std::uint64_t round) {
  losses_.erase(losses_.upper_bound(round), losses_.end());
  models_.erase(models_.upper_bound(round), models_.end());
}

std::optional<std::uint64_t> Trend::Best() const {
  const auto best = std::min_element(losses_.begin(), losses_.end(),
                                     [](auto& a, auto& b) { return a.second < b.second; });
  return best == losses_.end() ? std::nullopt : std::optional(best->first);
}

std::optional<ModelRef> Trend::ModelOf(std::uint64_t round) const {
  const auto found = models_.find(round);
  return found == models_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<TrendVerdict> Trend::Judge(std::uint64_t round, std::uint32_t patience,
                                         double max_loss_increase) const {
  const std::optional<std::uint64_t> best = Best();
  if (!best) return std::nullopt;
  const double least = losses_.at(*best);
  const auto now = losses_.find(round);
  const bool worse =
      now != losses_.end() && round > *best && now->second > least * (1 + max_loss_increase);
  if (max_loss_increase > 0 && worse && ModelOf(*best)) {
    return TrendVerdict{*best, Join("the loss of round ", round, " is ", now->second, ", round ",
                                    *best, " had ", least, "; going back to that model")};
  }
  const auto since =
      static_cast<std::size_t>(std::distance(losses_.upper_bound(*best), losses_.end()));
  if (patience > 0 && since >= patience) {
    return TrendVerdict{
        0, Join("ended early: ", since, " evaluations brought no smaller loss than the ", least,
                " of round ", *best)};
  }
  return std::nullopt;
}

// Evaluations come late: meanwhile the next round runs, or is being published.
void Machine::JudgeLoss(Job& job, std::uint64_t round) {
  double loss = 0, examples = 0;
  for (const auto& [client, report] : job.evaluations[round]) {
    loss += report.loss * static_cast<double>(report.examples);
    examples += static_cast<double>(report.examples);
  }
  if (examples == 0) return;
  const std::optional<std::uint64_t> best = job.trend.Best();
  job.trend.Evaluated(round, loss / examples);
  if (job.trend.Best() != best) job.rollbacks = 0;
  if (job.state != JobState::kWaiting && job.state != JobState::kRunning) return;
  job.verdict = job.trend.Judge(round, job.settings.patience, job.settings.max_loss_increase);
  const bool publishing =
      running_ == job.settings.name && std::holds_alternative<Publishing>(phase_);
  if (job.verdict && !publishing) CarryOut(job);
}

void Machine::CarryOut(Job& job) {
  const TrendVerdict verdict = *std::move(job.verdict);
  job.verdict.reset();
  if (verdict.back_to == 0) return EndEarly(job, verdict.reason);
  RollBack(job, verdict.back_to, verdict.reason);
}

void Machine::Interrupt(Job& job, const std::string& reason) {
  if (running_ != job.settings.name) return;
  job.highest_attempt = std::max(job.highest_attempt, job.attempt);
  EndAttempt(reason);
  phase_ = Idle{};
}

void Machine::EndEarly(Job& job, std::string reason) {
  Interrupt(job, reason);
  if (running_ == job.settings.name) running_.reset();
  ChangeJob(job, JobState::kDone, std::move(reason));
}

void Machine::RollBack(Job& job, std::uint64_t round, std::string reason) {
  Interrupt(job, reason);
  Say(true, Join("job ", job.settings.name, ": ", reason));
  job.model = *job.trend.ModelOf(round);
  job.rounds_done = round;
  job.attempt_floor = job.highest_attempt = std::max(job.highest_attempt, job.attempt);
  job.attempt = job.attempt_floor;
  job.evaluation.reset();
  job.trend.DropAfter(round);
  job.evaluations.erase(job.evaluations.upper_bound(round), job.evaluations.end());
  Emit(RolledBack{job.settings.name, round, reason});
  if (++job.rollbacks >= job.settings.max_failures) {
    reason = Join("the model was dropped ", job.rollbacks,
                  " times without a smaller loss, the last time: ", reason);
    if (running_ == job.settings.name) return GiveUp(job, std::move(reason));
    return ChangeJob(job, JobState::kFailed, std::move(reason));
  }
  if (running_ == job.settings.name) NextRound(now_);
}

}  // namespace tutti::round::internal

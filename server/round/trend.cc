#include "server/round/trend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/text.h"
#include "server/round/machine.h"

namespace tutti::round::internal {

namespace {

constexpr std::size_t kNewestModels = 2;  // the store keeps at least these

}  // namespace

void Trend::Offered(std::uint64_t round, const ModelRef& model) {
  models_[round] = model;
  const std::uint64_t best = BestKept().value_or(0);
  for (auto old = models_.begin(); models_.size() > kNewestModels + 1;) {
    old = old->first == best ? std::next(old) : models_.erase(old);
  }
}

void Trend::Evaluated(std::uint64_t round, double loss) {
  losses_[round] = std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity();
}

std::optional<std::uint64_t> Trend::Best() const {
  const auto best = std::min_element(losses_.begin(), losses_.end(),
                                     [](auto& a, auto& b) { return a.second < b.second; });
  return best == losses_.end() ? std::nullopt : std::optional(best->first);
}

std::optional<std::uint64_t> Trend::BestKept() const {
  std::optional<std::uint64_t> best;
  for (const auto& [round, loss] : losses_) {
    if (models_.contains(round) && (!best || loss < losses_.at(*best))) best = round;
  }
  return best;
}

std::optional<ModelRef> Trend::ModelOf(std::uint64_t round) const {
  const auto found = models_.find(round);
  return found == models_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<TrendVerdict> Trend::Judge(std::uint64_t round, std::uint32_t patience,
                                         double max_loss_increase) const {
  const std::optional<std::uint64_t> best = Best();
  if (!best) return std::nullopt;
  const auto now = losses_.find(round);
  const std::optional<std::uint64_t> kept = BestKept();
  if (max_loss_increase > 0 && kept && now != losses_.end() && round > std::max(*kept, dropped_) &&
      now->second > losses_.at(*kept) * (1 + max_loss_increase)) {
    return TrendVerdict{
        *kept, Join("the loss of round ", round, " is ", now->second, ", round ", *kept, " had ",
                    losses_.at(*kept), "; going back to that model")};
  }
  const auto since =
      static_cast<std::size_t>(std::distance(losses_.upper_bound(*best), losses_.end()));
  if (patience > 0 && since >= patience) {
    return TrendVerdict{
        0, Join("ended early: ", since, " evaluations brought no smaller loss than the ",
                losses_.at(*best), " of round ", *best)};
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
  JudgeLoss(job, round, loss / examples);
}

void Machine::JudgeLoss(Job& job, std::uint64_t round, double loss) {
  job.trend.Evaluated(round, loss);
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
  EndAttempt(reason);
  phase_ = Idle{};
}

void Machine::EndEarly(Job& job, std::string reason) {
  Interrupt(job, reason);
  if (running_ == job.settings.name) running_.reset();
  ChangeJob(job, JobState::kDone, std::move(reason));
}

// Rounds keep counting: clients refuse a number they answered before.
void Machine::RollBack(Job& job, std::uint64_t round, const std::string& reason) {
  Interrupt(job, reason);
  Say(true, Join("job ", job.settings.name, ": ", reason));
  job.model = *job.trend.ModelOf(round);
  job.trend.Dropped(job.rounds_done);
  Emit(RolledBack{job.settings.name, round, job.rounds_done, reason});
  if (running_ == job.settings.name) NextRound(now_);
}

}  // namespace tutti::round::internal

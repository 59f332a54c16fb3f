#include "client/books.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/ledger/ledger.h"
#include "common/log/log.h"

namespace tutti::client {
namespace {

constexpr WallSeconds kDay = 24 * 60 * 60;
// Stands for an infinite or unknown epsilon where numbers must be finite.
constexpr double kUnknownEpsilon = 1e9;

protocol::LedgerHead HeadOf(const client_store::Ledger& ledger) {
  protocol::LedgerHead head{ledger.Entries().size(), {}};
  const Bytes hash = ledger.Head();
  std::copy(hash.begin(), hash.end(), head.hash.begin());
  return head;
}

}  // namespace

Cost CostOf(const policy::Plan& plan, const v1::TrainReply& trained) {
  if (!plan.with_privacy) return {};
  const dp::SubsampledGaussian done{trained.sampling_rate(), trained.noise_multiplier(),
                                    trained.steps()};
  Cost cost{.with_privacy = true, .event = plan.event, .above_plan = false};
  if (!dp::CheckEvent(done).ok()) {
    cost.event = dp::kUnboundedRelease;
  } else {
    cost.event.sampling_rate = std::max(plan.event.sampling_rate, done.sampling_rate);
    cost.event.noise_multiplier = std::min(plan.event.noise_multiplier, done.noise_multiplier);
    cost.event.steps = std::max(plan.event.steps, done.steps);
  }
  cost.above_plan = !(cost.event == plan.event);
  return cost;
}

StatusOr<Books> Books::Open(BooksSettings settings, const Clock& clock) {
  Books books(std::move(settings), clock);
  TUTTI_TRY(books.OpenLedger());
  TUTTI_ASSIGN(client_store::Journal journal,
               client_store::Journal::Open(books.settings_.state_directory));
  books.journal_.emplace(std::move(journal));
  return books;
}

Status Books::OpenLedger() {
  ledger_.reset();  // frees the lock
  TUTTI_ASSIGN(client_store::Ledger ledger,
               client_store::Ledger::Open({.directory = settings_.state_directory,
                                           .accept_reset = settings_.accept_ledger_reset}));
  settings_.accept_ledger_reset = false;  // given for what was there at the start, nothing later
  known_head_ = HeadOf(ledger);
  ledger_.emplace(std::move(ledger));
  return OkStatus();
}

std::vector<session::LastAnswered> Books::Answered() const {
  std::vector<session::LastAnswered> answered;
  for (const client_store::Answered& entry : journal_->entries()) {
    answered.push_back({.job = entry.job, .round = entry.round, .attempt = entry.attempt});
  }
  return answered;
}

Status Books::NeedLedger() {
  if (ledger_ || OpenLedger().ok()) return OkStatus();
  return Unavailable(
      "LEDGER: the privacy ledger cannot be written; nothing is trained until it can");
}

Status Books::Screen(const v1::TaskSpec& task, const secagg::RoundConfig& round) {
  TUTTI_TRY(NeedLedger());
  return policy::Screen(settings_.policy, task, round, ledger_->RoundsSince(clock_->Wall() - kDay));
}

StatusOr<policy::Plan> Books::Decide(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                                     std::uint64_t examples) {
  TUTTI_TRY(NeedLedger());
  const policy::History history{.events = ledger_->Events(settings_.data_identity),
                                .rounds_last_day = ledger_->RoundsSince(clock_->Wall() - kDay)};
  return policy::Decide(settings_.policy, task, round, {.examples = examples}, history);
}

Status Books::Charge(const protocol::SessionHash& session, const secagg::RoundConfig& round,
                     const Cost& cost) {
  if (!ledger_) return Unavailable("LEDGER: the privacy ledger cannot be written");
  if (ledger_->HasSession(session)) return OkStatus();
  std::vector<dp::SubsampledGaussian> events = ledger_->Events(settings_.data_identity);
  if (cost.with_privacy) events.push_back(cost.event);
  TUTTI_ASSIGN(const dp::SpentBudget after, dp::SpentEpsilon(events, settings_.policy.delta()));
  if (cost.above_plan && !(after.epsilon <= settings_.policy.max_epsilon_total())) {
    return ResourceExhausted(
        Join("BUDGET_EXHAUSTED: max_epsilon_total is ", settings_.policy.max_epsilon_total(),
             " at delta ", settings_.policy.delta(),
             ", and training spent more than planned: ", RoundedUp(after.epsilon, 3),
             " with this round; the update was thrown away, its owner "
             "may raise max_epsilon_total in policy.toml"));
  }
  v1::LedgerEntry entry;
  entry.set_time(clock_->Wall());
  entry.set_data_identity(settings_.data_identity);
  entry.set_unit(cost.with_privacy ? "example" : "none");
  entry.set_coordinator(settings_.coordinator);
  entry.set_job(round.job);
  entry.set_round(round.round);
  entry.set_session(session.data(), session.size());
  if (cost.with_privacy) {
    *entry.mutable_event() = ledger::ToMechanismEvent(cost.event);
  } else {
    entry.mutable_event()->set_mechanism(std::string(ledger::kNoMechanism));
  }
  entry.set_delta(settings_.policy.delta());
  entry.set_epsilon_after(after.epsilon);
  entry.set_policy_hash(settings_.policy_hash.data(), settings_.policy_hash.size());
  if (const auto written = ledger_->Append(std::move(entry)); !written.ok()) {
    log::Error("ledger_not_written", {{"reason", written.status()}});
    ledger_.reset();  // opened again before the next round is decided
    return Unavailable("LEDGER: the debit could not be made durable; the update was thrown away");
  }
  known_head_ = HeadOf(*ledger_);
  return OkStatus();
}

Status Books::Record(const session::RecordAnswer& answer) {
  return journal_->Record({.job = answer.job,
                           .round = answer.round,
                           .attempt = answer.attempt,
                           .session = answer.session,
                           .survivor_set = answer.survivor_set});
}

protocol::BudgetReport Books::Budget() const {
  protocol::BudgetReport report{.epsilon_spent = kUnknownEpsilon,
                                .epsilon_budget = settings_.policy.max_epsilon_total(),
                                .delta = settings_.policy.delta(),
                                .ledger = known_head_};
  if (!ledger_) return report;
  const auto spent =
      dp::SpentEpsilon(ledger_->Events(settings_.data_identity), settings_.policy.delta());
  if (spent.ok()) report.epsilon_spent = std::min(spent->epsilon, kUnknownEpsilon);
  report.ledger = HeadOf(*ledger_);
  return report;
}

}  // namespace tutti::client

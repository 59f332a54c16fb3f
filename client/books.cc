#include "client/books.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/crypto/hash.h"
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

// Stands for a round's counts in the ledger; `session` stands for its update.
protocol::SessionHash CountsSession(const protocol::SessionHash& session) {
  ByteWriter text;
  text.Raw(AsBytes(std::string_view("tutti.ledger.v1/counts")));
  text.Raw(session);
  return crypto::Sha256(text.bytes());
}

struct BothEpsilons {
  double coordinator = 0;
  double models = 0;
};
StatusOr<BothEpsilons> EpsilonsOf(const client_store::SpentEvents& spent, double delta) {
  TUTTI_ASSIGN(const dp::SpentBudget coordinator, dp::SpentEpsilon(spent.coordinator, delta));
  TUTTI_ASSIGN(const dp::SpentBudget models, dp::SpentEpsilon(spent.models, delta));
  return BothEpsilons{coordinator.epsilon, models.epsilon};
}

}  // namespace

Cost CostOf(const policy::Plan& plan, const v1::TrainReply& trained) {
  Cost cost{.unit = NameOf(plan.setting.unit),
            .event = plan.event,
            .model_event = plan.model_event,
            .above_plan = false};
  if (plan.counts_event) cost.counts = {*plan.counts_event, *plan.counts_model_event};
  if (!plan.setting.clips_examples()) return cost;
  // What the trainer says it did: with noise of its own, or without for noise in the sum.
  const bool noisy = plan.setting.noise_in_trainer();
  const dp::SubsampledGaussian done{trained.sampling_rate(),
                                    noisy ? trained.noise_multiplier() : plan.noise_multiplier,
                                    trained.steps()};
  if (!dp::CheckEvent(done).ok()) {
    cost.event = dp::UnknownRelease{.name = "training that is none", .steps = 1};
  } else if (noisy) {
    cost.event = dp::SubsampledGaussian{std::max(plan.sampling_rate, done.sampling_rate),
                                        std::min(plan.noise_multiplier, done.noise_multiplier),
                                        std::max(plan.steps, done.steps)};
  } else if (done.sampling_rate > plan.sampling_rate || done.steps > plan.steps) {
    cost.event = dp::UnknownRelease{.name = "more than one planned step", .steps = 1};
  }
  cost.above_plan = !(cost.event == plan.event);
  if (cost.above_plan) cost.model_event = cost.event;
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
  TUTTI_TRY(
      policy::Screen(settings_.policy, task, round, ledger_->RoundsSince(clock_->Wall() - kDay)));
  return policy::CheckPreparation(task, settings_.local_statistics);
}

StatusOr<policy::Plan> Books::Decide(const v1::TaskSpec& task, const secagg::RoundConfig& round,
                                     std::uint64_t examples) {
  TUTTI_TRY(NeedLedger());
  client_store::SpentEvents spent = ledger_->Events(
      settings_.data_identity, task.privacy().unit() == "client" ? "client" : "example");
  const policy::History history{.events = std::move(spent.coordinator),
                                .model_events = std::move(spent.models),
                                .rounds_of_job = ledger_->RoundsOfJob(
                                    settings_.data_identity, settings_.coordinator, task.job()),
                                .rounds_last_day = ledger_->RoundsSince(clock_->Wall() - kDay)};
  return policy::Decide(settings_.policy, task, round, {.examples = examples}, history);
}

Status Books::CheckAbovePlan(const Cost& cost) const {
  client_store::SpentEvents spent =
      ledger_->Events(settings_.data_identity, cost.unit == "client" ? "client" : "example");
  if (cost.counts) {
    spent.coordinator.push_back(cost.counts->event);
    spent.models.push_back(cost.counts->model_event);
  }
  spent.coordinator.push_back(cost.event);
  spent.models.push_back(cost.model_event);
  TUTTI_ASSIGN(const BothEpsilons after, EpsilonsOf(spent, settings_.policy.delta()));
  const double counted =
      policy::CoordinatorIsTrusted(settings_.policy) ? after.models : after.coordinator;
  if (counted <= settings_.policy.max_epsilon_total()) return OkStatus();
  return ResourceExhausted(Join(
      "BUDGET_EXHAUSTED: max_epsilon_total is ", settings_.policy.max_epsilon_total(), " at delta ",
      settings_.policy.delta(), ", and training spent more than planned: ", RoundedUp(counted, 3),
      " with this round; the update was thrown away, its owner may raise max_epsilon_total in "
      "policy.toml"));
}

Status Books::Append(const secagg::RoundConfig& round, const Release& release) {
  v1::LedgerEntry entry;
  client_store::SpentEvents spent =
      ledger_->Events(settings_.data_identity, release.unit == "client" ? "client" : "example");
  if (release.event != nullptr) {
    spent.coordinator.push_back(*release.event);
    spent.models.push_back(*release.model_event);
    *entry.mutable_event() = ledger::ToMechanismEvent(*release.event);
    if (*release.model_event != *release.event)
      *entry.mutable_model_event() = ledger::ToMechanismEvent(*release.model_event);
  } else {
    entry.mutable_event()->set_mechanism(std::string(ledger::kNoMechanism));
  }
  TUTTI_ASSIGN(const BothEpsilons after, EpsilonsOf(spent, settings_.policy.delta()));
  entry.set_time(clock_->Wall());
  entry.set_data_identity(settings_.data_identity);
  entry.set_unit(release.unit);
  entry.set_coordinator(settings_.coordinator);
  entry.set_job(round.job);
  entry.set_round(round.round);
  entry.set_session(release.session.data(), release.session.size());
  entry.set_beside_update(release.beside_update);
  entry.set_delta(settings_.policy.delta());
  entry.set_epsilon_after(after.coordinator);
  entry.set_epsilon_models_after(after.models);
  entry.set_policy_hash(settings_.policy_hash.data(), settings_.policy_hash.size());
  if (const auto written = ledger_->Append(std::move(entry)); !written.ok()) {
    log::Error("ledger_not_written", {{"reason", written.status()}});
    ledger_.reset();  // opened again before the next round is decided
    return Unavailable("LEDGER: the debit could not be made durable; the update was thrown away");
  }
  known_head_ = HeadOf(*ledger_);
  return OkStatus();
}

Status Books::Charge(const protocol::SessionHash& session, const secagg::RoundConfig& round,
                     const Cost& cost) {
  if (!ledger_) return Unavailable("LEDGER: the privacy ledger cannot be written");
  if (ledger_->HasSession(session)) return OkStatus();
  if (cost.above_plan && cost.with_privacy()) TUTTI_TRY(CheckAbovePlan(cost));
  // First: a crash between the two leaves a session without its own record, which is charged again.
  const protocol::SessionHash of_counts = CountsSession(session);
  if (cost.counts && !ledger_->HasSession(of_counts)) {
    TUTTI_TRY(Append(round, {.session = of_counts,
                             .unit = cost.unit,
                             .event = &cost.counts->event,
                             .model_event = &cost.counts->model_event,
                             .beside_update = true}));
  }
  return Append(round, {.session = session,
                        .unit = cost.unit,
                        .event = cost.with_privacy() ? &cost.event : nullptr,
                        .model_event = &cost.model_event});
}

Status Books::Record(const session::RecordAnswer& answer) {
  return journal_->Record({.job = answer.job,
                           .round = answer.round,
                           .attempt = answer.attempt,
                           .session = answer.session,
                           .survivor_set = answer.survivor_set});
}

std::string Books::NewestUnit() const {
  const std::vector<v1::LedgerEntry>& entries = ledger_->Entries();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->data_identity() == settings_.data_identity && entry->unit() == "client")
      return "client";
    if (entry->data_identity() == settings_.data_identity && entry->unit() == "example") break;
  }
  return "example";
}

protocol::BudgetReport Books::Budget() const {
  protocol::BudgetReport report{.epsilon_spent = kUnknownEpsilon,
                                .epsilon_budget = settings_.policy.max_epsilon_total(),
                                .delta = settings_.policy.delta(),
                                .ledger = known_head_};
  report.epsilon_models = kUnknownEpsilon;
  if (!ledger_) return report;
  const auto spent =
      EpsilonsOf(ledger_->Events(settings_.data_identity, NewestUnit()), settings_.policy.delta());
  if (spent.ok()) {
    report.epsilon_spent = std::min(spent->coordinator, kUnknownEpsilon);
    report.epsilon_models = std::min(spent->models, kUnknownEpsilon);
  }
  report.ledger = HeadOf(*ledger_);
  return report;
}

}  // namespace tutti::client

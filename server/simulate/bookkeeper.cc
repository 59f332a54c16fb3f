#include "server/simulate/bookkeeper.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "common/dp/accountant.h"
#include "common/measure/rates.h"
#include "common/strategy/staleness.h"
#include "server/simulate/chance.h"

namespace tutti::simulate {
namespace {

constexpr std::size_t kMeasuringParts = 16;  // whatever the number of threads: sums stay the same

double Distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double step = static_cast<double>(a[i]) - b[i];
    sum += step * step;
  }
  return std::sqrt(sum);
}

// None when fewer than two groups have examples to compare.
StatusOr<std::optional<double>> GapOf(const v1::FairnessSpec& fairness,
                                      std::span<const std::int64_t> outcomes) {
  TUTTI_ASSIGN(const std::vector<measure::GroupRates> rates, measure::RatesOf(outcomes, 0.0));
  TUTTI_ASSIGN(const measure::Criterion criterion, measure::CriterionOf(fairness.criterion()));
  const measure::Estimate gap = measure::GapOf(rates, criterion).estimate;
  return gap.known() ? std::optional(gap.value) : std::nullopt;
}

// Epsilon of a client that was charged for `event` so many times, and for the counts of `rounds`.
StatusOr<double> EpsilonOf(const dp::Event& event, std::uint32_t times,
                           const std::optional<dp::Event>& counts, std::uint32_t rounds,
                           double delta) {
  dp::Accountant spent;
  for (std::uint32_t i = 0; i < times; ++i) {
    TUTTI_TRY(spent.Add(event));
  }
  for (std::uint32_t i = 0; counts && i < rounds; ++i) {
    TUTTI_TRY(spent.Add(*counts));
  }
  TUTTI_ASSIGN(const dp::SpentBudget budget, spent.Spent(delta));
  return budget.epsilon;
}

}  // namespace

void TrainingTotals::Add(const Contribution& contribution) {
  ++trained;
  late += contribution.rounds_late > 0 ? 1U : 0U;
  clipped_values += contribution.clipped_values;
  loss_sum += contribution.loss;
  seconds += contribution.seconds;
}

Bookkeeper::Bookkeeper(const Scene& scene, std::vector<std::unique_ptr<Learner>>& learners,
                       Course& course, const Observer& observer)
    : scene_(scene),
      course_(course),
      observer_(observer),
      workers_(learners),
      plans_(scene.job),
      charged_(scene.population.size()) {
  began_ = round_began_ = Seconds();
}

Milliseconds Bookkeeper::grace() const {
  return Milliseconds(static_cast<std::int64_t>(
      std::llround(scene_.world.network().reconnect_grace_seconds() * 1000)));
}

StatusOr<const policy::Plan*> Bookkeeper::PlanOf(std::size_t client) {
  return plans_.For(scene_.population.rows(client).size());
}

StatusOr<Fate> Bookkeeper::Invite(std::size_t client, const secagg::RoundConfig& config,
                                  Instant now) {
  if (std::exchange(attempt_over_, false)) {
    invited_.clear();
  }
  TUTTI_ASSIGN(const policy::Plan* const plan, PlanOf(client));
  Work work{course_.model().size(), config.layout().wire_bytes(),
            plans_.Seen(*plan, scene_.population.rows(client).size())};
  Invitation invitation{.at = now, .fate = {}, .held = {}, .attempt = config.attempt};
  if (const auto held = held_.find(client); held != held_.end()) {
    invitation.held = held->second;
    work.held_ready_in = held->second.ready - now;
  }
  invitation.fate = simulate::FateOf(scene_.world, scene_.population.device(client), work,
                                     config.level == secagg::ThreatLevel::kMalicious, client,
                                     config.round, config.attempt);
  return invited_.insert_or_assign(client, std::move(invitation)).first->second.fate;
}

const Held* Bookkeeper::HeldBy(std::size_t client) const {
  const auto found = invited_.find(client);
  return found != invited_.end() && found->second.held ? &*found->second.held : nullptr;
}

std::vector<std::size_t> Bookkeeper::Available(std::uint64_t draw) const {
  auto rng = StreamOf(scene_.world.seed(), "available", draw);
  const double availability = scene_.world.devices().availability();
  std::vector<std::size_t> available;
  for (std::size_t client = 0; client < scene_.population.size(); ++client) {
    if (Happens(rng, availability) && !scene_.population.rows(client).empty()) {
      available.push_back(client);
    }
  }
  return available;
}

bool Bookkeeper::Stopped() {
  const std::lock_guard lock(mutex_);
  return observer_.stop && observer_.stop();
}

void Bookkeeper::ShowTraining(std::size_t done, std::size_t expected) {
  const std::lock_guard lock(mutex_);
  if (observer_.training) {
    observer_.training(course_.rounds_done() + 1, done, expected);
  }
}

void Bookkeeper::Charge(std::span<const std::size_t> clients) {
  for (const std::size_t client : clients) {
    ++charged_[client];
    invited_[client].charged = true;
  }
}

// An update that stayed on its device is of use as long as the task says: one that was ready, or
// whose training goes on. A device that vanished before it could send has lost it.
void Bookkeeper::HoldBack() {
  const v1::TrainingSpec& training = scene_.job.task.training();
  const std::uint64_t round = course_.rounds_done() + 1;
  std::shared_ptr<const Received> received;
  for (const auto& [client, invitation] : invited_) {
    const bool lost = invitation.fate.VanishesIn(Exchange::kTraining) ||
                      invitation.fate.VanishesIn(Exchange::kSharing);
    if (invitation.charged || lost) {
      held_.erase(client);
    } else if (!invitation.held && strategy::StillCounts(training, round, round)) {
      if (!received) {
        const std::span<const float> values = course_.values();
        received = std::make_shared<const Received>(
            Received{round, {values.begin(), values.end()}, course_.terms().clip_norm});
      }
      held_[client] = {received, invitation.attempt, invitation.at + invitation.fate.answers[0]};
    }
  }
}

void Bookkeeper::EndAttempt(std::size_t uploads) {
  HoldBack();
  attempt_over_ = true;
  const auto fetched = static_cast<std::uint64_t>(std::count_if(
      invited_.begin(), invited_.end(), [](const auto& entry) { return !entry.second.held; }));
  report_.bytes_down += fetched * course_.model().size();
  report_.bytes_up += uploads * settings().config.layout().wire_bytes();
}

void Bookkeeper::Fail(Instant now, std::string reason) {
  ++failures_of_round_;
  report_.failures.push_back(
      {course_.rounds_done() + 1, static_cast<double>(now.count()) / 1000, std::move(reason)});
  if (observer_.failure) {
    observer_.failure(report_.failures.back());
  }
}

bool Bookkeeper::IsMeasured(std::uint64_t round) const {
  const std::uint32_t every = scene_.job.config.evaluation().every();
  return round == scene_.job.config.rounds() || (every > 0 && round % every == 0);
}

Status Bookkeeper::Measure(RoundReport& report) {
  std::vector<StatusOr<Score>> scores(kMeasuringParts, Score{});
  workers_.ForEach(kMeasuringParts, [&](std::size_t part, std::size_t, Learner& learner) {
    scores[part] = learner.Measure(part, kMeasuringParts, course_.weights());
  });
  double examples = 0;
  double loss = 0;
  double correct = 0;
  std::optional<double> withstood;
  std::uint64_t triggered = 0;
  std::uint64_t misled = 0;
  std::vector<std::int64_t>& outcomes = report.test_outcomes;
  for (const StatusOr<Score>& score : scores) {
    TUTTI_TRY(score.status());
    const auto count = static_cast<double>(score->examples);
    examples += count;
    loss += count * score->loss;
    correct += count * score->accuracy;
    if (score->robust_accuracy) {
      withstood = withstood.value_or(0) + count * *score->robust_accuracy;
    }
    triggered += score->triggered;
    misled += score->misled;
    outcomes.resize(std::max(outcomes.size(), score->outcomes.size()));
    std::transform(
        score->outcomes.begin(), score->outcomes.end(), outcomes.begin(), outcomes.begin(),
        [](std::uint64_t more, std::int64_t sum) { return sum + static_cast<std::int64_t>(more); });
  }
  if (examples > 0) {
    report.test_loss = loss / examples;
    if (correct >= 0) report.test_accuracy = correct / examples;  // else it predicts numbers
    if (withstood) report.robust_accuracy = *withstood / examples;
  }
  if (triggered > 0) {
    report.backdoor_success = static_cast<double>(misled) / static_cast<double>(triggered);
  }
  if (!outcomes.empty()) {
    TUTTI_ASSIGN(report.test_gap, GapOf(scene_.job.task.fairness(), outcomes));
  }
  return OkStatus();
}

// Whose loss decides: the clients' own, of the model the round began with, or that of the test set,
// of the model it gave.
std::optional<round::RoundLoss> Bookkeeper::LossOf(RoundReport& report) const {
  if (!settings().clients_evaluate) {
    if (!report.test_loss) return std::nullopt;
    return round::RoundLoss{report.round, *report.test_loss};
  }
  const std::optional<server::ClientsVerdict>& verdict = course_.verdict();
  if (!verdict) return std::nullopt;
  report.clients_loss = verdict->loss;
  if (verdict->accuracy >= 0) report.clients_accuracy = verdict->accuracy;
  if (const auto& worst = verdict->worst_client)
    report.worst_client = (worst->low + worst->high) / 2;
  if (verdict->round == 0) return std::nullopt;  // the job's first model is no round's
  return round::RoundLoss{verdict->round, verdict->loss};
}

Status Bookkeeper::Judge(RoundReport& report) {
  const std::optional<round::RoundLoss> judged = LossOf(report);
  const double max_loss_increase = settings().max_loss_increase;
  if (max_loss_increase > 0 && (judged || settings().clients_evaluate)) {
    trend_.Offered(report.round, {course_.sha256(), course_.model().size()});
    saved_.emplace(report.round, course_.Save());
    std::erase_if(saved_, [this](const auto& saved) { return !trend_.ModelOf(saved.first); });
  }
  if (!judged) return OkStatus();
  trend_.Evaluated(judged->round, judged->loss);
  const auto verdict = trend_.Judge(judged->round, settings().patience, max_loss_increase);
  if (!verdict) return OkStatus();
  if (verdict->back_to == 0) {
    verdict_ = verdict->reason;
  } else if (report.round < settings().rounds) {  // the last model is what the job leaves
    report.back_to = verdict->back_to;
    trend_.Dropped(report.round);
    return course_.GoBack(saved_.at(verdict->back_to));
  }
  return OkStatus();
}

std::vector<float> Bookkeeper::Kept(std::size_t client) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(client);
  return found == kept_.end() ? std::vector<float>() : found->second;
}

void Bookkeeper::KeepNext(std::size_t client, std::vector<float> values) {
  if (values.empty()) return;
  const std::lock_guard lock(mutex_);
  keep_next_[client] = std::move(values);
}

Status Bookkeeper::Publish(Instant now, std::span<const ClientId> survivors,
                           std::vector<server::GroupResult> results, const TrainingTotals& totals,
                           RoundReport report) {
  const std::vector<float> before(course_.weights().begin(), course_.weights().end());
  TUTTI_TRY(course_.Advance(std::move(results), survivors.size(), scene_.population.size()));
  for (const ClientId& client : survivors) {
    if (auto next = keep_next_.extract(NumberOf(client)))
      kept_.insert_or_assign(next.key(), std::move(next.mapped()));
  }
  keep_next_.clear();
  std::erase_if(held_, [&](const auto& entry) {
    return !strategy::StillCounts(scene_.job.task.training(), entry.second.received->round,
                                  course_.rounds_done() + 1);
  });
  report.round = course_.rounds_done();
  report.failures = std::exchange(failures_of_round_, 0);
  report.clock_seconds = static_cast<double>(now.count()) / 1000;
  report.update_norm = Distance(course_.weights(), before);
  if (totals.trained > 0) {
    const auto trained = static_cast<double>(totals.trained);
    report.train_loss = totals.loss_sum / trained;
    report.clipped_fraction = static_cast<double>(totals.clipped_values) /
                              (trained * static_cast<double>(settings().config.values));
  }
  report.training_seconds = totals.seconds;
  report.late = static_cast<std::uint32_t>(totals.late);
  report_.client_rounds += totals.trained;
  report_.training_seconds += totals.seconds;
  const double measuring = Seconds();
  report_.seconds = measuring - began_ - report_.measuring_seconds;
  if (IsMeasured(report.round)) {
    TUTTI_TRY(Measure(report));
  }
  if (IsMeasured(report.round) || settings().clients_evaluate) TUTTI_TRY(Judge(report));
  const double end = Seconds();
  report_.measuring_seconds += end - measuring;
  report.seconds = end - std::exchange(round_began_, end);
  report_.rounds.push_back(report);
  if (observer_.round) {
    observer_.round(report);
  }
  return OkStatus();
}

// The largest epsilon: of the clients with the same plan, the one that was charged most often.
Status Bookkeeper::CountPrivacy() {
  std::map<std::size_t, std::uint32_t> most;  // by number of examples
  for (std::size_t client = 0; client < charged_.size(); ++client) {
    report_.most_rounds = std::max(report_.most_rounds, charged_[client]);
    std::uint32_t& times = most[scene_.population.rows(client).size()];
    times = std::max(times, charged_[client]);
  }
  const double delta = scene_.job.config.privacy().delta();
  for (const auto& [examples, times] : most) {
    if (times == 0 || !scene_.job.setting.with_privacy()) {
      continue;
    }
    TUTTI_ASSIGN(const policy::Plan* const plan, plans_.For(examples));
    TUTTI_ASSIGN(const double coordinator,
                 EpsilonOf(plan->event, times, plan->counts_event, times, delta));
    // A tree is charged once for all rounds it allows.
    const bool tree = plan->setting.noise == privacy::NoiseSource::kTree;
    TUTTI_ASSIGN(const double models, EpsilonOf(plan->model_event, tree ? 1 : times,
                                                plan->counts_model_event, times, delta));
    report_.epsilon_coordinator = std::max(report_.epsilon_coordinator, coordinator);
    report_.epsilon_models = std::max(report_.epsilon_models, models);
  }
  return OkStatus();
}

StatusOr<Report> Bookkeeper::Finish(std::string ended, std::size_t excluded) {
  report_.done = course_.rounds_done() == settings().rounds || !verdict_.empty();
  report_.ended = std::move(ended);
  report_.excluded = static_cast<std::uint32_t>(excluded);
  TUTTI_TRY(CountPrivacy());
  return std::move(report_);
}

}  // namespace tutti::simulate

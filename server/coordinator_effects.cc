// What the core asks for, carried out in its order.
#include <algorithm>

#include "common/base/text.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/platform/memory.h"
#include "server/coordinator.h"

namespace tutti::server {
namespace {

constexpr Milliseconds kLastEvaluation{60'000};

// The session a notice speaks of; null for those that speak of none.
const protocol::SessionHash* SessionOf(const protocol::Notice& notice) {
  if (const auto* survivors = std::get_if<protocol::SurvivorsNotice>(&notice)) {
    return &survivors->session;
  }
  if (const auto* certificate = std::get_if<protocol::CertificateNotice>(&notice)) {
    return &certificate->session;
  }
  return nullptr;
}

}  // namespace

void Coordinator::Dispatch(const round::Event& event) {
  Execute(core_.Advance(parts_.clock.Now(), event));
  if (!unpersisted_.empty()) {
    const protocol::SessionHash session = *unpersisted_.begin();
    unpersisted_.clear();
    Dispatch(round::PublishFailed{session, "the survivor set could not be stored", {}});
  }
}

void Coordinator::Execute(std::vector<round::Effect> effects) {
  for (round::Effect& effect : effects) {
    std::visit([this](auto& one) { Do(one); }, effect);
  }
}

void Coordinator::Do(round::Notify& effect) {
  const protocol::SessionHash* const session = SessionOf(effect.notice);
  if (session != nullptr && unpersisted_.contains(*session)) {
    return;
  }
  // A client without a stream gets what it missed when it attaches again.
  if (const auto found = sinks_.find(effect.client); found != sinks_.end()) {
    found->second->Send(effect.notice);
    Failpoint("server.notified");
  }
}

void Coordinator::Do(round::Reply& effect) {
  if (const auto found = calls_.find(effect.call); found != calls_.end()) {
    const rpc::ReplyFunction reply = std::move(found->second);
    calls_.erase(found);
    reply(effect.status, effect.retry);
    Failpoint("server.replied");
  } else if (const auto open = uploads_.find(effect.call); open != uploads_.end()) {
    open->second.answered = true;
    open->second.upload->Answer(effect.status, effect.retry);
  }
}

void Coordinator::Do(round::BeginSum& effect) {
  sums_[effect.session] = std::make_unique<secagg::Accumulator>(effect.layout);
  parts_.partial.BeginSession(effect.session);
}

void Coordinator::Do(round::AcceptUpload& effect) {
  if (const auto found = uploads_.find(effect.call); found != uploads_.end()) {
    found->second.upload->Accept(effect.layout);
  }
}

void Coordinator::Do(round::Accumulate& effect) {
  const auto found = uploads_.find(effect.call);
  const auto sum = found == uploads_.end() ? sums_.end() : sums_.find(found->second.header.session);
  Status status = Internal("an accepted upload has no sum");
  if (sum != sums_.end()) {
    const secagg::RingLayout& layout = sum->second->sum().layout();
    status =
        found->second.upload->Visit(layout.bits, [&](BytesView part, std::uint64_t first_byte) {
          return sum->second->Add(part, first_byte);
        });
  }
  if (!status.ok() && sum != sums_.end()) {
    // The core counts this vector as added; a sum without it must never be opened.
    log::Error("a masked vector could not be added; the round will fail", {{"reason", status}});
    sums_.erase(sum);
  }
  Failpoint("server.accumulated");
  parts_.metrics.SetUploads(parts_.pool.in_memory(), parts_.pool.in_files());
}

void Coordinator::Do(round::DropUpload& effect) {
  if (const auto found = uploads_.find(effect.call); found != uploads_.end()) {
    found->second.upload->Discard();
  }
}

void Coordinator::Do(round::DropSum& effect) {
  sums_.erase(effect.session);
  parts_.partial.EndSession(effect.session);
  parts_.pool.Trim();
}

void Coordinator::Do(round::PersistSurvivors& effect) {
  store::SurvivorRecord record;
  record.session = effect.session;
  record.job = effect.job.value();
  record.round = effect.round;
  record.attempt = effect.attempt;
  for (const ClientId& client : effect.survivors) {
    record.clients.push_back(client.value());
  }
  Failpoint("server.before_survivors");
  if (const Status status = parts_.store.RecordSurvivors(record); !status.ok()) {
    log::Error("the survivor set could not be stored; the round fails", {{"reason", status}});
    unpersisted_.insert(effect.session);
  }
  Failpoint("server.survivors_stored");
  parts_.partial.EndSession(effect.session);
  parts_.pool.Trim();
}

Coordinator::Traffic Coordinator::TakeTraffic() {
  const Traffic now{parts_.metrics.bytes_up(), parts_.metrics.bytes_down()};
  const Traffic since{now.up - counted_.up, now.down - counted_.down};
  counted_ = now;
  return since;
}

void Coordinator::Do(round::Publish& effect) {
  auto order = std::make_shared<PublishOrder>();
  const protocol::SessionHash session = effect.report.session;
  const Traffic traffic = TakeTraffic();
  order->bytes_up = traffic.up;
  order->bytes_down = traffic.down;
  for (const round::ClosedSum& closed : effect.sums) {
    const auto sum = sums_.find(closed.session);
    order->sums.push_back(sum == sums_.end() ? nullptr : std::move(sum->second));
    sums_.erase(closed.session);
  }
  {
    const std::lock_guard lock(state_mutex_);
    const Job& job = jobs_.at(effect.report.job.value());
    order->job = job.prepared;
    order->model = job.model;
  }
  order->publish = std::move(effect);
  ++open_publications_;
  publishing_.TryPost([this, order, session] {
    Failpoint("server.before_publish");
    auto result = std::make_shared<PublishResult>(publisher_.Publish(std::move(*order)));
    const std::optional<std::string> job =
        result->round.ok() ? std::optional(result->round->model.job) : std::nullopt;
    Post([this, session, result] {
      --open_publications_;
      OnPublished(session, std::move(*result));
    });
    if (job) {
      publisher_.CollectOldModels(*job);
    }
  });
}

void Coordinator::OnPublished(const protocol::SessionHash& session, PublishResult result) {
  parts_.metrics.AddRejectedSums(static_cast<std::size_t>(
      std::count_if(result.sums.begin(), result.sums.end(),
                    [](const round::OpenedSum& sum) { return !sum.spoiled.empty(); })));
  const StatusOr<PublishedRound>& published = result.round;
  if (!published.ok()) {
    log::Error("a round could not be published", {{"reason", published.status()}});
    Dispatch(round::PublishFailed{session, TextOf(published.status()), std::move(result.sums)});
    return;
  }
  Failpoint("server.round_stored");
  const store::RoundRecord& round = published->round;
  const rpc::JobStatus status = Update(round.job, [&](Job& job) {
    job.model = published->model.sha256;
    job.model_bytes = published->model.bytes;
    job.status.record.rounds_done = round.round;
    store::JobRecord& record = job.status.record;
    record.max_epsilon = std::max(record.max_epsilon, round.max_epsilon);
    record.max_epsilon_models = std::max(record.max_epsilon_models, round.max_epsilon_models);
    record.realised_epsilon = round.realised_epsilon;
    record.realised_epsilon_models = round.realised_epsilon_models;
  });
  http::Metrics& metrics = parts_.metrics;
  metrics.RoundEnded(true, round.seconds);
  metrics.SetEpsilons({.reported_coordinator = round.max_epsilon,
                       .reported_models = round.max_epsilon_models,
                       .realised_coordinator = round.realised_epsilon,
                       .realised_models = round.realised_epsilon_models});
  metrics.SetDropoutFraction(round.invited == 0 ? 0.0
                                                : 1.0 - static_cast<double>(round.survivors) /
                                                            static_cast<double>(round.invited));
  log::Info("round published", {{"job", round.job},
                                {"round", round.round},
                                {"clients", round.survivors},
                                {"invited", round.invited},
                                {"groups", round.groups},
                                {"groups_left_out", round.groups_left_out},
                                {"masks_removed", published->masks_removed},
                                {"weight_sum", published->weight_sum},
                                {"seconds", round.seconds},
                                {"epsilon_coordinator", round.max_epsilon},
                                {"epsilon_models", round.max_epsilon_models},
                                {"realised_epsilon_coordinator", round.realised_epsilon},
                                {"realised_epsilon_models", round.realised_epsilon_models}});
  round::Published event{session, round::ModelRef{published->model.sha256, published->model.bytes},
                         std::move(result.sums)};
  if (published->evaluation) {
    const protocol::EvaluationReport& report = *published->evaluation;
    event.evaluated = {report.round, report.loss};
    TellEvaluated(report, store::kAllClients, report.accuracy, published->evaluated);
  }
  watchers_.Tell({.job = status, .finished = round, .progress = {}, .line = ""});
  Dispatch(event);
  Failpoint("server.announced");
  platform::ReleaseFreeMemory();
}

void Coordinator::Do(round::RecordSuspicion& effect) {
  if (const Status status = parts_.store.RecordSuspicion(effect.record); !status.ok()) {
    log::Error("what spoiled sums say of clients could not be stored", {{"reason", status}});
  }
  CountSuspects(effect.record);
}

void Coordinator::CountSuspects(const cohort::SuspicionRecord& record) {
  std::size_t suspects = 0;
  std::size_t excluded = 0;
  for (const auto& [client, standing] : record.clients) {
    (standing.excluded.empty() ? suspects : excluded) += 1;
  }
  parts_.metrics.SetSuspects(suspects, excluded);
}

void Coordinator::Do(round::RecordFailure& effect) {
  std::shared_ptr<const PreparedJob> prepared;
  {
    const std::lock_guard lock(state_mutex_);
    prepared = jobs_.at(effect.report.job.value()).prepared;
  }
  store::RoundRecord record = RecordOf(effect.report, prepared->config);
  const Traffic traffic = TakeTraffic();
  record.bytes_up = traffic.up;
  record.bytes_down = traffic.down;
  record.reason = Escaped(effect.reason, 1000);
  record.finished_at = parts_.clock.Wall();
  const std::vector<std::string> dropouts = DropoutsOf(effect.report);
  if (const Status status = parts_.store.RecordFailure(record, dropouts); !status.ok()) {
    log::Error("a failed attempt could not be stored", {{"reason", status}});
  }
  parts_.metrics.RoundEnded(false, record.seconds);
}

void Coordinator::Do(round::JobChanged& effect) {
  const std::string& name = effect.job.value();
  if (const Status status = parts_.store.SetJobState(name, effect.state, effect.reason);
      !status.ok()) {
    log::Error("a job's state could not be stored", {{"job", name}, {"reason", status}});
  }
  bool evaluated = false;
  const rpc::JobStatus status = Update(name, [&](Job& job) {
    job.status.record.state = effect.state;
    job.status.record.reason = effect.reason;
    job.status.step.clear();
    evaluated = job.prepared != nullptr && job.prepared->settings.evaluate_every > 0 &&
                !job.prepared->settings.clients_evaluate;
  });
  log::Info("job changed", {{"job", name},
                            {"state", std::string(round::JobStateName(effect.state))},
                            {"reason", effect.reason}});
  watchers_.Tell({.job = status, .finished = {}, .progress = {}, .line = ""});
  if (effect.state == round::JobState::kDone && evaluated &&
      core_.Attached(round::Role::kEvaluator) > 0) {
    // The last round's evaluation is still to come; Housekeep ends the watchers when it does not.
    last_evaluation_until_[name] = parts_.clock.Now() + kLastEvaluation;
  } else if (effect.state != round::JobState::kWaiting &&
             effect.state != round::JobState::kRunning) {
    watchers_.End(name);
  }
}

rpc::JobStatus Coordinator::TellEvaluated(const protocol::EvaluationReport& report,
                                          const std::string& evaluator, double accuracy,
                                          const std::optional<store::RoundRecord>& round) {
  const rpc::JobStatus changed =
      Update(report.job, [&](Job& job) { job.status.record.accuracy = accuracy; });
  log::Info("round evaluated", {{"job", report.job},
                                {"round", report.round},
                                {"accuracy", report.accuracy},
                                {"loss", report.loss},
                                {"evaluator", evaluator}});
  if (round) watchers_.Tell({.job = changed, .finished = *round, .progress = {}, .line = ""});
  return changed;
}

void Coordinator::Do(round::EvaluationRecorded& effect) {
  parts_.disk.TryPost([this, report = effect.report, evaluator = effect.evaluator.value()] {
    Status status = parts_.store.RecordEvaluation(report, evaluator);
    const auto record = parts_.store.Job(report.job);
    const auto rounds = parts_.store.Rounds(report.job);
    if (!status.ok() || !record.ok() || !rounds.ok()) {
      log::Error("an evaluation could not be stored", {{"job", report.job}, {"reason", status}});
      return;
    }
    const auto round = std::find_if(rounds->begin(), rounds->end(),
                                    [&](const auto& one) { return one.round == report.round; });
    const rpc::JobStatus changed =
        TellEvaluated(report, evaluator, record->accuracy,
                      round == rounds->end() ? std::nullopt : std::optional(*round));
    if (changed.record.state == round::JobState::kDone && report.round == changed.rounds_total) {
      watchers_.End(report.job);
    }
  });
}

void Coordinator::Do(round::RolledBack& effect) {
  const std::string& name = effect.job.value();
  const auto models = parts_.store.Models(name);
  const Status status =
      models.ok() ? parts_.store.Reinstate(name, effect.round, effect.newest) : models.status();
  if (!status.ok()) {
    log::Error("a job's best model could not be taken up again",
               {{"job", name}, {"reason", status}});
    return;
  }
  for (const store::ModelRecord& model : *models) {
    if (model.round != effect.round) continue;
    parts_.shelf.Put(model, nullptr);
    Update(name, [&](Job& job) {
      job.model = model.sha256;
      job.model_bytes = model.bytes;
    });
  }
  log::Warn("model dropped", {{"job", name}, {"back_to", effect.round}, {"reason", effect.reason}});
}

void Coordinator::Do(round::Progress& effect) {
  parts_.metrics.SetPhase(static_cast<int>(effect.phase));
  const rpc::JobStatus status = Update(effect.job.value(), [&](Job& job) {
    job.status.step = effect.phase == round::Phase::kIdle
                          ? std::string()
                          : std::string(round::PhaseName(effect.phase));
  });
  watchers_.Tell({.job = status, .finished = {}, .progress = effect, .line = ""});
}

void Coordinator::Do(round::Note& effect) {
  if (effect.warning) {
    log::Warn(effect.text);
  } else {
    log::Debug(effect.text);
  }
  if (const auto running = core_.RunningJob()) {
    watchers_.Tell({.job = Update(running->value(), [](Job&) {}),
                    .finished = {},
                    .progress = {},
                    .line = effect.text});
  }
}

}  // namespace tutti::server

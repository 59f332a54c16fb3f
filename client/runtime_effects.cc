// What each effect of the session machine does to the world.
#include <algorithm>
#include <cmath>

#include "client/runtime_state.h"
#include "common/base/guard.h"
#include "common/base/text.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/model/architecture.h"
#include "common/platform/memory.h"

namespace tutti::client {
namespace {

// Messages and tasks that may wait because of a coordinator that asks faster than it listens. What
// is dropped it asks for again.
constexpr std::size_t kMaxWaitingSends = 256;
constexpr std::size_t kMaxWaitingTasks = 32;
constexpr Instant kTellAgain{10 * 60 * 1000};

std::string ShortHash(const Digest& hash) { return ToHex(BytesView(hash).first(6)); }

// Session of a request that belongs to one; nullopt for those that stand alone.
struct SessionOf {
  std::optional<protocol::SessionHash> operator()(const protocol::DeclineRequest&) const {
    return std::nullopt;
  }
  std::optional<protocol::SessionHash> operator()(const protocol::EvaluationReport&) const {
    return std::nullopt;
  }
  template <typename Request>
  std::optional<protocol::SessionHash> operator()(const Request& request) const {
    return request.session;
  }
};

// The owner's rules that make sense for a model that is only measured.
Status EvaluationAllowed(const v1::PolicyConfig& policy, const std::string& job,
                         const v1::TaskSpec& task) {
  const std::vector<std::string> patterns(policy.jobs().begin(), policy.jobs().end());
  if (!policy::JobMatches(job, patterns))
    return PermissionDenied("policy.toml allows no job of this name");
  TUTTI_ASSIGN(const model::Layout layout, model::LayoutOf(task.model()));
  const std::uint64_t values = std::max(task.values(), layout.values);
  if (values > policy.max_model_values()) {
    return PermissionDenied(
        Join("the model has ", values, " values, max_model_values is ", policy.max_model_values()));
  }
  return policy::CheckScript(policy, task.model());
}

}  // namespace

session::Refused Runtime::State::NewRefusal(std::string code, std::string reason) {
  counters.refusals.Add(code);
  round->refused = true;
  // A coordinator may offer as often as it likes: the same refusal is told once in ten minutes.
  const std::string text = Join(round->config.job, " ", code);
  const Instant now = clock.Now();
  if (text == told_refusal && now - told_refusal_at < kTellAgain) {
    log::Debug("round_refused", {{"round", round->config.round}, {"reason", reason}});
  } else {
    told_refusal = text;
    told_refusal_at = now;
    log::Info("round_refused", {{"job", round->config.job},
                                {"round", round->config.round},
                                {"code", code},
                                {"reason", reason}});
  }
  return {round->session, std::move(code), std::move(reason)};
}

void Runtime::State::Carry(session::Decide& effect) {
  round.emplace();
  round->session = effect.offer.session;
  round->model = {.sha256 = effect.config.model_hash, .bytes = effect.offer.model_bytes};
  round->config = effect.config;
  round->started = clock.Now();
  if (settings.config.role() != "trainer") {
    events.push_back(NewRefusal("POLICY", "this client is an evaluator and does not train"));
    return;
  }
  if (!round->task.ParseFromArray(effect.offer.task.data(),
                                  static_cast<int>(effect.offer.task.size())) &&
      Guard("runtime.task")) {
    events.push_back(NewRefusal("CONFIG_MISMATCH", "the task cannot be parsed"));
    return;
  }
  if (const Status passed = books.Screen(round->task, round->config); !passed.ok()) {
    events.push_back(NewRefusal(policy::CodeOf(passed), policy::ReasonOf(passed)));
    return;
  }
  // Reading the data may take a while: the work thread does it and the decision follows here.
  const bool taken = work_queue.TryPush(
      [this, hash = round->session, task = round->task, stop = round->stop.get_token()] {
        if (stop.stop_requested()) return;
        Attempted<std::uint64_t> examples = learner.CountExamples(task, stop);
        Post([this, hash, examples = std::move(examples)] {
          if (!InRound(hash)) return;
          if (examples.value) return DecideWith(hash, *examples.value);
          log::Warn("data_not_usable", {{"reason", examples.failure.detail}});
          Feed(NewRefusal(examples.failure.code, examples.failure.reason));
        });
      },
      kMaxWaitingTasks);
  if (!taken) events.push_back(NewRefusal("BUSY", "too many offers wait on this device"));
}

void Runtime::State::DecideWith(const protocol::SessionHash& hash, std::uint64_t examples) {
  StatusOr<policy::Plan> plan = books.Decide(round->task, round->config, examples);
  if (!plan.ok()) {
    return Feed(NewRefusal(policy::CodeOf(plan.status()), policy::ReasonOf(plan.status())));
  }
  round->plan = *plan;
  log::Debug("round_accepted", {{"job", round->config.job},
                                {"round", round->config.round},
                                {"mechanism", privacy::MechanismName(plan->setting)},
                                {"noise_multiplier", plan->noise_multiplier},
                                {"epsilon_coordinator_after", plan->coordinator.after},
                                {"epsilon_models_after", plan->models.after}});
  if (plan->steps_asked > 0) {
    log::Info("round_shrunk", {{"job", round->config.job},
                               {"round", round->config.round},
                               {"steps", plan->steps},
                               {"asked", plan->steps_asked},
                               {"reason", "what is left of the budget"}});
  }
  Failpoint("client.decided");
  // After the job's last round nothing is asked for any more.
  const bool last = round->config.round >= round->task.rounds();
  Feed(session::Allowed{hash, last ? 0 : round->task.training().max_staleness()});
}

void Runtime::State::Carry(session::Train& effect) {
  const protocol::SessionHash hash = effect.offer.session;
  training = hash;
  stop_training = {};
  work_queue.Push([this, hash, model = round->model, task = round->task, config = round->config,
                   plan = round->plan, stop = stop_training.get_token()] {
    if (stop.stop_requested()) return;
    Attempted<Prepared> attempted = learner.Prepare(model, task, config, plan, stop);
    if (stop.stop_requested()) return;  // the session is over: nobody asks for the result
    auto result = std::make_shared<Attempted<Prepared>>(std::move(attempted));
    Post([this, hash, result] { AfterTraining(hash, std::move(*result)); });
  });
}

void Runtime::State::AfterTraining(const protocol::SessionHash& hash,
                                   Attempted<Prepared> attempted) {
  if (!InRound(hash)) {
    const bool ok = attempted.value.has_value();
    log::Debug("trained_too_late", {{"held_for_a_later_round", ok}});
    if (ok) return Feed(session::Trained{hash});
    log::Warn("training_failed", {{"reason", attempted.failure.detail}});
    return Feed(session::TrainingFailed{hash, attempted.failure.code, attempted.failure.reason});
  }
  if (!attempted.value) {
    log::Warn("training_failed", {{"job", round->config.job},
                                  {"round", round->config.round},
                                  {"code", attempted.failure.code},
                                  {"reason", attempted.failure.detail}});
    return Feed(session::TrainingFailed{hash, attempted.failure.code, attempted.failure.reason});
  }
  round->trained = std::move(attempted.value->trained);
  round->encoded = std::move(attempted.value->encoded);
  round->keep = std::move(attempted.value->keep);
  if (attempted.value->rounds_late.value_or(0) > 0) {
    ++counters.late_updates;
    log::Info("late_update", {{"job", round->config.job},
                              {"round", round->config.round},
                              {"rounds_late", *attempted.value->rounds_late}});
  }
  const std::string& method = round->trained.gradient_method();
  log::Debug("trained", {{"job", round->config.job},
                         {"round", round->config.round},
                         {"examples", round->trained.examples()},
                         {"seconds", round->trained.seconds()},
                         {"cpu_seconds", round->trained.cpu_seconds()},
                         {"gradients", method}});
  // Something to know once: such a model trains several times slower than it might.
  if (method != told_method && method.find(": ") != method.npos) {
    log::Info("gradients_computed_slowly", {{"job", round->config.job}, {"gradients", method}});
  }
  told_method = method;
  Feed(session::Trained{hash});
}

void Runtime::State::Carry(session::StopTraining& effect) {
  if (effect.session == training) stop_training.request_stop();
}

void Runtime::State::Carry(session::Charge& effect) {
  if (!InRound(effect.session) || !round->encoded) return;
  const Cost cost = CostOf(round->plan, round->trained);
  if (cost.above_plan) {
    log::Error("training_spent_more_than_planned", {{"planned_steps", round->plan.steps},
                                                    {"steps", round->trained.steps()},
                                                    {"planned_rate", round->plan.sampling_rate},
                                                    {"rate", round->trained.sampling_rate()},
                                                    {"planned_noise", round->plan.noise_multiplier},
                                                    {"noise", round->trained.noise_multiplier()}});
  }
  Failpoint("client.before_charge");
  if (const Status charged = books.Charge(effect.session, effect.config, cost); !charged.ok()) {
    events.push_back(
        session::ChargeRefused{effect.session, policy::CodeOf(charged), policy::ReasonOf(charged)});
    return TellBudget();
  }
  Failpoint("client.charged");
  TellBudget();
  events.push_back(session::Charged{effect.session});
}

void Runtime::State::Carry(session::Upload& effect) {
  if (!InRound(effect.session) || !round->encoded) return;
  StatusOr<session::Session::PreparedUpload> prepared =
      machine.PrepareUpload(*std::move(round->encoded));
  round->encoded.reset();
  if (!prepared.ok()) {
    log::Error("masking_failed", {{"reason", prepared.status()}});
    events.push_back(session::Rejected{effect.session, prepared.status()});
    return;
  }
  work_queue.Push(
      [this, hash = effect.session, upload = *std::move(prepared), stop = round->stop.get_token()] {
        learner.Sent();
        Failpoint("client.before_upload");
        const Status status = link.Upload(upload.header, upload.vector, stop);
        Failpoint("client.uploaded");
        Post([this, hash, status] { AfterUpload(hash, status); });
      });
}

void Runtime::State::AfterUpload(const protocol::SessionHash& hash, const Status& status) {
  if (!InRound(hash)) return;
  if (status.ok()) return Feed(session::Uploaded{hash});
  log::Warn("upload_refused", {{"reason", status}});
  Feed(session::Rejected{hash, status});
}

void Runtime::State::Carry(session::RecordAnswer& effect) {
  Failpoint("client.before_answer_record");
  if (const Status recorded = books.Record(effect); !recorded.ok()) return Fatal(recorded);
  Failpoint("client.answer_recorded");
}

void Runtime::State::Carry(session::Send& effect) {
  const std::optional<protocol::SessionHash> hash = std::visit(SessionOf{}, effect.request);
  const std::stop_token stop = hash && InRound(*hash) ? round->stop.get_token() : all.get_token();
  const bool taken = send_queue.TryPush(
      [this, hash, stop, request = std::move(effect.request)] {
        const Status status = link.Send(request, stop);
        if (status.ok()) return Failpoint("client.sent");
        if (stop.stop_requested()) return;
        if (!hash) return log::Debug("message_not_taken", {{"reason", status}});
        Post([this, hash = *hash, status] {
          log::Debug("step_refused", {{"session", ShortHash(hash)}, {"reason", status}});
          Feed(session::Rejected{hash, status});
        });
      },
      kMaxWaitingSends);
  if (!taken) log::Debug("message_dropped");
}

void Runtime::State::Carry(session::Evaluate& effect) {
  if (settings.config.role() != "evaluator") return;
  if (!work_queue.TryPush([this, offer = std::move(effect.offer)] { EvaluateNow(offer); },
                          kMaxWaitingTasks)) {
    log::Debug("evaluation_dropped");
  }
}

// On the work thread.
void Runtime::State::EvaluateNow(const protocol::EvaluationOffer& offer) {
  v1::TaskSpec task;
  if (!task.ParseFromArray(offer.task.data(), static_cast<int>(offer.task.size()))) {
    return log::Warn("evaluation_refused",
                     {{"job", offer.job}, {"reason", "the task cannot be parsed"}});
  }
  if (const Status allowed = EvaluationAllowed(settings.policy, offer.job, task); !allowed.ok()) {
    counters.refusals.Add("POLICY");
    return log::Info("evaluation_refused", {{"job", offer.job}, {"reason", allowed}});
  }
  const ModelRef model{.sha256 = offer.model, .bytes = offer.model_bytes};
  const Attempted<v1::EvaluateReply> measured = learner.Evaluate(model, task, all.get_token());
  if (!measured.value) {
    return log::Warn(
        "evaluation_failed",
        {{"job", offer.job}, {"round", offer.round}, {"reason", measured.failure.detail}});
  }
  ++counters.evaluations;
  log::Info("evaluated", {{"job", offer.job},
                          {"round", offer.round},
                          {"accuracy", measured.value->accuracy()},
                          {"loss", measured.value->loss()}});
  protocol::EvaluationReport report{.job = offer.job,
                                    .round = offer.round,
                                    .examples = measured.value->examples(),
                                    .loss = measured.value->loss(),
                                    .accuracy = measured.value->accuracy()};
  Post([this, report = std::move(report)]() mutable {
    session::Send send{std::move(report)};
    Carry(send);
  });
}

void Runtime::State::Carry(session::Finished& effect) {
  if (InRound(effect.session)) {
    round->stop.request_stop();
    if (effect.outcome == protocol::Outcome::kPublished) KeepForNextRound();
    if (!round->refused) TellEnd(effect);
    round.reset();
  }
  platform::ReleaseFreeMemory();
}

// Losing it costs accuracy only, so the device goes on.
void Runtime::State::KeepForNextRound() {
  if (!round->keep) return;
  const ToKeep& keep = *round->keep;
  if (const Status saved = job_memory.Save(keep.job, keep.kept, keep.layout, keep.values);
      !saved.ok()) {
    log::Warn("job_memory_not_saved", {{"job", keep.job}, {"reason", saved}});
  }
}

void Runtime::State::TellEnd(const session::Finished& effect) {
  switch (effect.outcome) {
    case protocol::Outcome::kPublished:
      ++counters.rounds_published;
      break;
    case protocol::Outcome::kFailed:
      ++counters.rounds_failed;
      break;
    case protocol::Outcome::kDropped:
      ++counters.rounds_dropped;
      break;
  }
  log::Info("round_over",
            {{"job", round->config.job},
             {"round", round->config.round},
             {"outcome", protocol::OutcomeName(effect.outcome)},
             {"survivors", effect.survivors},
             {"reason", effect.reason},
             {"seconds", static_cast<double>((clock.Now() - round->started).count()) / 1000},
             {"epsilon_spent_coordinator", RoundedUp(counters.epsilon_spent, 3)},
             {"epsilon_spent_models", RoundedUp(counters.epsilon_models, 3)},
             {"epsilon_budget", RoundedUp(counters.epsilon_budget, 3)},
             {"policy_hash", ToHex(books.policy_hash())}});
}

void Runtime::State::Carry(session::Note& effect) {
  if (effect.warning) {
    log::Warn("session", {{"text", effect.text}});
  } else {
    log::Debug("session", {{"text", effect.text}});
  }
}

}  // namespace tutti::client

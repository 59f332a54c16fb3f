#include "client/runtime.h"

#include "client/runtime_state.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/log/log.h"

namespace tutti::client {
namespace {

// Notices that may wait; a coordinator that sends more is not read from.
constexpr std::size_t kMaxQueuedNotices = 256;

}  // namespace

Runtime::State::State(RuntimeSettings given, Books own_books, client_rpc::Link& own_link,
                      const Clock& own_clock, SecureRng& own_rng, FatalSink on_fatal)
    : settings(std::move(given)),
      link(own_link),
      clock(own_clock),
      rng(own_rng),
      fatal(std::move(on_fatal)),
      books(std::move(own_books)),
      verifier(settings.identity.ca_pem, own_clock),
      machine(
          {.signing_key = settings.identity.key, .certificate = settings.identity.certificate_der},
          verifier, own_rng, books.Answered()),
      job_memory(settings.config.state_directory(), settings.identity.ca_fingerprint),
      learner(settings.config, settings.policy, own_link, own_rng, job_memory) {
  TellBudget();
}

void Runtime::State::RunSession() {
  while (auto work = session_queue.Take()) {
    if (*work) (*work)();
  }
}

void Runtime::State::RunWork() {
  while (auto work = work_queue.Take(learner.supervisor().IdleLeft())) {
    if (*work) {
      (*work)();
    } else {
      learner.supervisor().EndIfIdle();
    }
    counters.trainer_starts = learner.supervisor().starts();
    counters.trainer_failures = learner.supervisor().failures();
  }
  learner.supervisor().End();
}

void Runtime::State::RunSends() {
  while (auto work = send_queue.Take()) {
    if (*work) (*work)();
  }
}

void Runtime::State::Feed(session::Event event) {
  if (broken) return;
  events.push_back(std::move(event));
  while (!events.empty() && !broken) {
    const session::Event next = std::move(events.front());
    events.pop_front();
    CarryAll(machine.Advance(next));
  }
}

void Runtime::State::CarryAll(std::vector<session::Effect> effects) {
  for (session::Effect& effect : effects) {
    if (broken) return;  // what stands behind a failed record must not leave
    std::visit([this](auto& each) { Carry(each); }, effect);
  }
}

void Runtime::State::Fatal(const Status& why) {
  broken = true;
  log::Error("cannot_go_on", {{"reason", why}});
  if (fatal) fatal(why);
}

void Runtime::State::TellBudget() {
  const protocol::BudgetReport report = books.Budget();
  counters.epsilon_spent = report.epsilon_spent;
  counters.epsilon_models = report.epsilon_models;
  counters.epsilon_budget = report.epsilon_budget;
  machine.SetBudget(report);
  link.SetBudget(report);
}

Runtime::Runtime(RuntimeSettings settings, Books books, client_rpc::Link& link, const Clock& clock,
                 SecureRng& rng, FatalSink fatal)
    : state_(std::make_unique<State>(std::move(settings), std::move(books), link, clock, rng,
                                     std::move(fatal))) {
  state_->session_thread = std::thread([state = state_.get()] { state->RunSession(); });
  state_->work_thread = std::thread([state = state_.get()] { state->RunWork(); });
  state_->send_thread = std::thread([state = state_.get()] { state->RunSends(); });
}

Runtime::~Runtime() { Stop(); }

void Runtime::Post(protocol::Notice notice) {
  State* state = state_.get();
  state->session_queue.PushBounded(
      [state, notice = std::move(notice)]() mutable {
        state->Feed(session::NoticeArrived{std::move(notice)});
      },
      kMaxQueuedNotices);
}

void Runtime::Stop() {
  State& state = *state_;
  state.session_queue.Close();
  if (state.session_thread.joinable()) state.session_thread.join();
  // The session thread is gone: its round is ours, and nobody starts new work.
  if (state.round) state.round->stop.request_stop();
  state.stop_training.request_stop();
  state.all.request_stop();
  state.work_queue.Close();
  state.send_queue.Close();
  if (state.work_thread.joinable()) state.work_thread.join();
  if (state.send_thread.joinable()) state.send_thread.join();
}

const Counters& Runtime::counters() const { return state_->counters; }

}  // namespace tutti::client

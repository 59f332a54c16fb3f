// Runtime's insides; only client/runtime*.cc include this.
#pragma once

#include <deque>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "client/learner.h"
#include "client/runtime.h"
#include "client/session/session.h"
#include "client/store/job_memory.h"
#include "client/work_queue.h"
#include "common/crypto/certificate.h"

namespace tutti::client {

// The round this device is in, beside the session's own state. Session thread only; the stop source
// is also asked by the other threads through its tokens.
struct Round {
  protocol::SessionHash session{};
  ModelRef model;
  secagg::RoundConfig config;
  v1::TaskSpec task;
  policy::Plan plan;
  v1::TrainReply trained;
  std::optional<secagg::RingVector> encoded;  // of the trained update, until it is masked
  std::optional<ToKeep> keep;                 // once the round is published
  std::stop_source stop;                      // of all but the training, which may go on longer
  Instant started{0};
  bool refused = false;  // by the owner's policy or for want of data; nothing was done
};

struct Runtime::State {
  State(RuntimeSettings given, Books own_books, client_rpc::Link& own_link, const Clock& own_clock,
        SecureRng& own_rng, FatalSink on_fatal);

  // ---- session thread
  void RunSession();
  void Feed(session::Event event);  // and everything that follows from it
  void CarryAll(std::vector<session::Effect> effects);
  void Carry(session::Decide& effect);
  void Carry(session::Train& effect);
  void Carry(session::StopTraining& effect);
  void Carry(session::Charge& effect);
  void Carry(session::Upload& effect);
  void Carry(session::RecordAnswer& effect);
  void Carry(session::Send& effect);
  void Carry(session::Evaluate& effect);
  void Carry(session::Finished& effect);
  void Carry(session::Note& effect);
  void DecideWith(const protocol::SessionHash& session, std::uint64_t examples);
  // Counts and logs a refusal of the current round, and gives the event for the session machine.
  session::Refused NewRefusal(std::string code, std::string reason);
  void AfterTraining(const protocol::SessionHash& session, Attempted<Prepared> attempted);
  void AfterUpload(const protocol::SessionHash& session, const Status& status);
  void TellBudget();
  void TellEnd(const session::Finished& effect);
  void KeepForNextRound();
  bool InRound(const protocol::SessionHash& session) const {
    return round && round->session == session;
  }
  void Fatal(const Status& why);

  // ---- work thread and send thread
  void RunWork();
  void RunSends();
  void EvaluateNow(const protocol::EvaluationOffer& offer);
  void Post(std::function<void()> work) { session_queue.Push(std::move(work)); }

  RuntimeSettings settings;
  client_rpc::Link& link;
  const Clock& clock;
  SecureRng& rng;
  FatalSink fatal;
  Counters counters;

  // Session thread.
  Books books;
  crypto::CachingVerifier verifier;
  session::Session machine;
  std::optional<Round> round;
  // The newest training, of `round` or of one that is over.
  protocol::SessionHash training{};
  std::stop_source stop_training;
  std::deque<session::Event> events;  // caused by effects, fed after the batch that caused them
  std::string told_refusal;  // the newest refusal that was logged for everyone to see, and when
  Instant told_refusal_at{0};
  std::string told_method;  // how the newest round's gradients were computed
  bool broken = false;      // a fatal error happened: nothing more is answered

  client_store::JobMemory job_memory;

  // Work thread.
  Learner learner;

  std::stop_source all;
  WorkQueue session_queue, work_queue, send_queue;
  std::thread session_thread, work_thread, send_thread;
};

}  // namespace tutti::client

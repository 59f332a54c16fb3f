// The round machine's insides: its state as a variant of phases and the steps between them. Only
// server/round's own files include this; everyone else sees core.h. Thread safety: confined to the
// core thread.
//
// jobs.cc: the queue of jobs; selection.cc: from waiting clients to offers; refusals.cc: who will
// not take part; suspects.cc: who may be spoiling sums; groups.cc: an attempt's sums; steps.cc:
// closing of phases; clients.cc: streams and notices; replies.cc: requests; uploads.cc: masked
// vectors; outcome.cc: how an attempt ends; machine.cc: dispatch, deadlines, progress
#pragma once

#include <functional>

#include "server/round/core.h"
#include "server/round/rules.h"
#include "server/round/trend.h"

namespace tutti::round::internal {

// An attached client. Detached ones live on in their attempt's Member only.
struct Client {
  Role role = Role::kTrainer;
  protocol::BudgetReport budget;
};

// One invited client's way through an attempt.
struct Member {
  std::size_t group = 0;
  bool joined = false;
  bool shared = false;
  bool masked = false;
  bool committed = false;
  bool unmasked = false;
  bool attached = true;
  Instant detached_at{0};
  std::string out;  // "CODE: reason": it is waited for no longer; empty: still in
  std::optional<protocol::Closed> closed;  // told that the attempt is over for it
  std::optional<CallId> upload;            // open call
  protocol::UploadHeader header;           // of the open or the accepted upload
};

// One secure sum of an attempt.
struct Group {
  secagg::RoundConfig config;
  protocol::SessionHash session{};
  secagg::ServerSession secagg;
  std::uint32_t goal = 0;  // clients wanted
  std::vector<ClientId> survivors;
  bool sum_open = false;
  std::string lost;  // why it cannot go on; empty: it does
  // Answers when it was asked last whether the sum can be opened (the question is not cheap), and
  // what the answer was.
  std::optional<std::size_t> asked_at;
  bool can_rebuild = false;
  std::vector<secagg::LeftoverMask> masks;  // once rebuilt

  bool live() const { return lost.empty(); }
};

struct Attempt {
  JobId job;
  std::vector<Group> groups;  // at least one, all of one round, attempt and level
  Instant started{0};
  std::uint32_t failures_before = 0;
  std::map<ClientId, Member> members;
  std::map<ClientId, protocol::BudgetReport> budgets;
  std::size_t suspects_needed = 0;  // that would have sat out, had enough others been there

  // Of the whole attempt.
  const protocol::SessionHash& session() const { return groups.front().session; }
  std::uint64_t round() const { return groups.front().config.round; }
  std::uint64_t number() const { return groups.front().config.attempt; }
  secagg::ThreatLevel level() const { return groups.front().config.level; }
  bool Has(const protocol::SessionHash& session) const;
};

struct Idle {};
struct Selecting {
  Instant opens{0};
  Instant deadline{0};
};
struct Exchange {
  Attempt attempt;
  Instant deadline{0};
};
struct Training : Exchange {};
struct Sharing : Exchange {};
struct Collecting : Exchange {};
struct Committing : Exchange {};
struct Unmasking : Exchange {
  // Since when every group's sum can be opened or has nobody left who could help to.
  std::optional<Instant> settled;
};
struct Publishing {
  Attempt attempt;
};
using PhaseState =
    std::variant<Idle, Selecting, Training, Sharing, Collecting, Committing, Unmasking, Publishing>;

struct Job {
  JobSettings settings;
  JobState state = JobState::kWaiting;
  std::uint64_t rounds_done = 0;
  ModelRef model;
  std::uint64_t attempt = 0;  // the newest of round rounds_done + 1
  std::uint32_t failures_in_row = 0;
  std::uint32_t failures_of_round = 0;
  std::uint32_t unspoiled_failures = 0;  // in a row, for other reasons than a spoiled sum
  Instant not_before{0};                 // end of the pause after a failure
  std::string last_reason;
  std::optional<protocol::EvaluationOffer> evaluation;  // of the newest model that is due
  // What evaluators said of the newest kEvaluationsKept rounds, to tell a repetition from a
  // contradiction.
  std::map<std::uint64_t, std::map<ClientId, protocol::EvaluationReport>> evaluations;
  Trend trend;
  std::optional<TrendVerdict> verdict;  // to be carried out once the sum at hand is published
};

inline constexpr std::size_t kEvaluationsKept = 16;

// Where a phase stands: who answered, who is waited for, when the next silent one counts as gone.
struct Tally {
  std::size_t done = 0;
  std::size_t waiting = 0;
};
struct Tallies {
  Tally all;
  std::vector<Tally> groups;  // of lost groups nobody counts
  std::optional<Instant> next_gone;
};

class Machine {
 public:
  Machine(CoreSettings settings, crypto::PeerVerifier& verifier, SecureRng& rng)
      : settings_(std::move(settings)), verifier_(verifier), rng_(rng) {}

  std::vector<Effect> Advance(Instant now, const Event& event);
  std::optional<Instant> NextDeadline() const;
  Phase phase() const { return static_cast<Phase>(phase_.index()); }
  const std::optional<JobId>& running() const { return running_; }
  std::size_t Attached(Role role) const;
  std::uint64_t refusals() const { return refusals_; }

 private:
  // machine.cc
  void On(const TimePassed&) {}
  void Settle();      // closes every phase that is due, then reports progress
  bool CloseIfDue();  // true: a phase changed
  void ReportProgress();
  const Tallies& Count() const;
  Tallies CountMembers() const;
  Attempt* Current();
  const Attempt* Current() const;
  Instant PhaseDeadline() const;
  template <typename E>
  void Emit(E effect) {
    effects_.emplace_back(std::move(effect));
  }
  void Say(bool warning, std::string text) { Emit(Note{warning, std::move(text)}); }
  void Refuse(std::string text);  // an event that does not fit

  // jobs.cc
  void On(const JobSubmitted& event);
  void On(const JobStopRequested& event);
  void On(const JobResumeRequested& event);
  void ChangeJob(Job& job, JobState state, std::string reason);
  bool StartNextJob();
  Job& Running() { return jobs_.at(*running_); }
  void RememberEvaluation(Job& job);
  Status RecordEvaluation(const ClientId& client, const protocol::EvaluationReport& report);

  // trend.cc: what the losses mean for the job
  void JudgeLoss(Job& job, std::uint64_t round);
  void JudgeLoss(Job& job, std::uint64_t round, double loss);
  void CarryOut(Job& job);  // job.verdict
  void RollBack(Job& job, std::uint64_t round, const std::string& reason);
  void EndEarly(Job& job, std::string reason);
  void Interrupt(Job& job, const std::string& reason);  // a running attempt that is not published

  // selection.cc
  bool SelectIfDue(const Selecting& selecting);
  void StartAttempt();
  StatusOr<Attempt> OpenAttempt(Job& job);
  StatusOr<Group> OpenGroup(const Job& job, std::uint32_t place);
  protocol::Offer OfferOf(const Attempt& attempt, const Group& group) const;

  // refusals.cc
  void RememberRefusal(const ClientId& client, const std::string& words);
  std::size_t Willing() const;
  std::size_t MayTakePart(const Attempt& attempt) const;
  std::optional<std::string> NoRoundPossible(std::size_t able) const;

  // suspects.cc
  void On(const ClientReadmitted& event);
  void On(const SuspicionRestored& event);
  std::vector<ClientId> Available(Attempt& attempt);
  std::size_t ExcludedAttached() const;
  cohort::Assumption Assumed(const Job& job) const;
  bool TakeVerdicts(Attempt& attempt, const std::vector<OpenedSum>& sums);
  void ExcludeOffenders(const Job& job);
  void RecordStandings() { Emit(RecordSuspicion{suspicion_.record()}); }

  // groups.cc
  Group& GroupOf(const ClientId& client);
  // Asks every live group to `go_on`; those that cannot are left behind with the reason. False: too
  // few are left and the attempt has failed.
  bool KeepGroups(const std::function<Status(Group&, const Tally&)>& go_on);
  void Leave(Attempt& attempt, std::size_t place);
  static std::string NameOf(const Attempt& attempt, std::size_t place);
  static std::string WhatWasLost(const Attempt& attempt);

  // steps.cc
  bool CloseTrainingIfDue(Training& training);
  bool CloseSharingIfDue(Sharing& sharing);
  bool CloseCollectingIfDue(Collecting& collecting);
  bool CloseCommittingIfDue(Committing& committing);
  bool CloseUnmaskingIfDue(Unmasking& unmasking);
  void TellStep(const ClientId& client, const Member& member);
  bool IsOver(const Exchange& exchange, const Tallies& tallies) const;

  // clients.cc
  void On(const ClientAttached& event);
  void On(const ClientDetached& event);
  void On(const ClientRevoked& event);
  void SendPending(const ClientId& client);
  std::optional<protocol::Notice> PendingNotice(const ClientId& client, const Member& member) const;
  bool Gone(const Member& member) const;
  void Tell(const ClientId& client, protocol::Notice notice) {
    Emit(Notify{client, std::move(notice)});
  }
  void Drop(const ClientId& client, Member& member, const std::string& reason);

  // replies.cc
  void On(const RequestArrived& event);
  Status Answer(const ClientId& client, const protocol::Request& request);
  Status FindMember(const ClientId& client, const protocol::SessionHash& session, bool out_is_fine);
  Status Handle(const ClientId& client, const protocol::JoinRequest& request);
  Status Handle(const ClientId& client, const protocol::ShareRequest& request);
  Status Handle(const ClientId& client, const protocol::CommitRequest& request);
  Status Handle(const ClientId& client, const protocol::UnmaskRequest& request);
  Status Handle(const ClientId& client, const protocol::DeclineRequest& request);
  Status Handle(const ClientId& client, const protocol::EvaluationReport& request);
  Status Judge(const ClientId& client,
               Status status);  // a broken rule puts the client out of the attempt
  void ReplyTo(CallId call, Status status);
  Milliseconds RetryWindow() const;

  // uploads.cc
  void On(const UploadOpened& event);
  void On(const UploadFinished& event);
  void On(const UploadBroken& event);
  Status CheckUpload(const ClientId& client, const protocol::UploadHeader& header,
                     bool& already_in);
  void EndUpload(Member& member, Status status);
  void EndUploads(const std::string& reason);

  // outcome.cc
  void On(const Published& event);
  void On(const PublishFailed& event);
  void Publishable(Attempt attempt);
  RoundReport ReportOf(const Attempt& attempt) const;
  void FailAttempt(const std::string& reason);  // records, closes, pauses or gives up
  void EndAttempt(const std::string& reason);   // records and closes only
  void GiveUp(Job& job, std::string reason);    // the running job failed
  void CloseMembers(Attempt& attempt, const std::function<protocol::Closed(const Group&)>& closed);
  void NextRound(Instant opens);

  CoreSettings settings_;
  crypto::PeerVerifier& verifier_;
  SecureRng& rng_;
  Instant now_{0};
  std::vector<Effect> effects_;
  std::map<ClientId, Client> clients_;
  std::size_t trainers_ = 0;  // attached with role trainer
  // Of those, who refused the running job for policy or budget, in their words.
  std::map<ClientId, std::string> unwilling_;
  std::set<ClientId> revoked_;
  cohort::Suspicion suspicion_;
  std::set<ClientId> enrolled_;  // trainers, as far as known
  std::map<JobId, Job> jobs_;
  std::vector<JobId> order_;  // of submission
  std::optional<JobId> running_;
  PhaseState phase_;
  std::map<ClientId, protocol::Closed>
      last_closed_;  // of the attempt that ended last, for those who missed it
  std::optional<Progress> last_progress_;
  mutable std::optional<Tallies> tally_;  // of the current phase; none after anything changed
  std::uint64_t refusals_ = 0;
};

}  // namespace tutti::round::internal

// The coordinator's core: jobs, cohorts, rounds and their steps as one pure machine. No socket,
// file, thread, log or clock: time comes with events, randomness as an argument, and everything it
// wants done comes back as effects that the shell carries out IN ORDER (persist before send,
// accumulate before reply). Thread safety: confined to the coordinator's core thread.
//
// An attempt's invited clients are split at random into the job's groups, each a secure sum of its
// own (session, roster, survivors); the groups go through the phases side by side. A group that
// cannot go on is left behind; the attempt fails when fewer than `groups_needed` are left. Who was
// in a sum that failed its checks may sit out the next attempts, and is excluded once it is proven
// to have lied (server/cohort/suspicion.h).
//
// One job runs at a time; others wait in the order of submission. A round's phases:
//   Selecting -> Training (joins come in) -> Sharing -> Collecting -> Committing -> Unmasking ->
//   Publishing -> Done
// Each phase closes when everyone still expected has answered or at its deadline; with too few left
// the attempt fails, is closed with a reason and tried again after a pause. Trainers that refuse a
// job for their policy or budget are not asked again while they stay attached; when that leaves too
// few for any round, the job fails at once. A client that loses its stream stays in the round for
// `reconnect_grace`; then it counts as gone and is waited for no longer. Commits are skipped at
// level curious. After a restart the job goes on from the last published round: an attempt never
// survives the process.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/rng.h"
#include "common/crypto/certificate.h"
#include "common/protocol/messages.h"
#include "common/secagg/server_session.h"
#include "server/cohort/suspicion.h"

namespace tutti::round {

enum class Phase : std::uint8_t {
  kIdle,
  kSelecting,
  kTraining,
  kSharing,
  kCollecting,
  kCommitting,
  kUnmasking,
  kPublishing
};
std::string_view PhaseName(Phase phase);  // "selecting", ...

enum class Role : std::uint8_t { kTrainer, kEvaluator };
enum class JobState : std::uint8_t { kWaiting, kRunning, kStopped, kDone, kFailed };
std::string_view JobStateName(JobState state);

// Everything the core needs of a job. `task` is the serialised TaskSpec; `config` is the template
// of the round configuration (round, attempt, model_hash, task_hash and server_nonce are filled in
// per attempt); `config.groups` says how many sums a round is split into, `config.group` is filled
// in for each, and the bounds on cohorts in `config` are one group's.
struct JobSettings {
  JobId name;
  std::uint64_t rounds = 0;
  Bytes task;
  secagg::RoundConfig config;
  std::uint32_t groups_needed = 1;  // with fewer sums a round is not published
  std::uint32_t cohort_size = 0;    // reporting goal of all groups together
  double over_selection = 1.0;
  bool exclude_offenders = true;     // clients proven to spoil sums
  std::uint32_t evaluate_every = 1;  // 0: never
  bool clients_evaluate = false;     // those of a round, the model it began with; nobody else does
  std::uint32_t patience = 0;        // evaluations without a smaller loss that end it; 0: none do
  double max_loss_increase =
      0;  // above the best loss times (1 + this) a model is dropped; 0: never
  Milliseconds select{60000}, train{600000}, share{30000}, upload{120000}, commit{30000},
      unmask{30000}, retry{5000};
  std::uint32_t max_failures = 20;  // in a row
};

struct CoreSettings {
  Milliseconds reconnect_grace{5000};
  // Once the sum can be opened, how long slower survivors may still report (their budgets go into
  // the round's report).
  Milliseconds unmask_linger{20};
  std::string server_version;
};

struct ModelRef {
  Digest sha256{};
  std::uint64_t bytes = 0;
};

using CallId = std::uint64_t;  // of an open RPC in the shell

// ---- events
// `last_attempt`: the highest attempt of round `rounds_done` + 1 the store knows (of
// PersistSurvivors and RecordFailure); clients refuse an attempt they answered before, so numbering
// goes on after a restart. 0: none. `state`: the store's. A job that is stopped or done there stays
// so without a JobChanged; every other one waits for its turn. `losses`: mean loss of each
// published round that was evaluated; `models`: the checkpoints of those rounds that are kept.
struct JobSubmitted {
  JobSettings settings;
  std::uint64_t rounds_done = 0;
  ModelRef model;
  JobState state = JobState::kWaiting;
  std::uint64_t last_attempt = 0;
  std::map<std::uint64_t, double> losses = {};
  std::map<std::uint64_t, ModelRef> models = {};
};
struct JobStopRequested {
  JobId job;
};
struct JobResumeRequested {
  JobId job;
};
struct ClientAttached {
  ClientId client;
  Role role = Role::kTrainer;
  protocol::BudgetReport budget;
};
// The client's NEWEST stream ended; the end of a stream that a newer one replaced is not an event.
struct ClientDetached {
  ClientId client;
};
struct ClientRevoked {
  ClientId client;
};
// The operator takes back what is held against the client for spoiled sums.
struct ClientReadmitted {
  ClientId client;
};
// What the store kept of RecordSuspicion, and all enrolled trainers: a share of these is assumed to
// lie at most. Before any job is submitted.
struct SuspicionRestored {
  cohort::SuspicionRecord record;
  std::set<ClientId> trainers;
};
struct RequestArrived {
  CallId call = 0;
  ClientId client;
  protocol::Request request;
};
struct UploadOpened {
  CallId call = 0;
  ClientId client;
  protocol::UploadHeader header;
};
// All bytes are spooled and have the header's digest.
struct UploadFinished {
  CallId call = 0;
  ClientId client;
  protocol::UploadHeader header;
};
// `broken_rule`: the client sent what the protocol forbids; ok when the call only ended.
struct UploadBroken {
  CallId call = 0;
  ClientId client;
  Status broken_rule = OkStatus();
};
// What became of one group's sum once it was open.
struct OpenedSum {
  protocol::SessionHash session{};
  Digest sum_hash{};
  std::string spoiled;  // why it failed the checks and was left out; empty: it is in the model
};
struct RoundLoss {
  std::uint64_t round = 0;
  double loss = 0;
};
// The sums were opened, checked, combined, applied and stored in one transaction. `session`: of the
// attempt (RoundReport).
struct Published {
  protocol::SessionHash session{};
  ModelRef model;
  std::vector<OpenedSum> sums;
  // With clients_evaluate: of the published model the round began with.
  std::optional<RoundLoss> evaluated = {};
};
// `session`: of the attempt or of one of its groups. `sums`: those that were opened.
struct PublishFailed {
  protocol::SessionHash session{};
  std::string reason;
  std::vector<OpenedSum> sums;
};
struct TimePassed {};
using Event =
    std::variant<JobSubmitted, JobStopRequested, JobResumeRequested, ClientAttached, ClientDetached,
                 ClientRevoked, ClientReadmitted, SuspicionRestored, RequestArrived, UploadOpened,
                 UploadFinished, UploadBroken, Published, PublishFailed, TimePassed>;

// What is recorded of one group of an attempt.
struct GroupReport {
  protocol::SessionHash session{};
  std::vector<ClientId> invited;
  std::vector<ClientId> survivors;  // none before the masked inputs are closed
  std::string lost;                 // why it is left out of the result; empty: it is not
};
// What is recorded of a finished attempt.
struct RoundReport {
  JobId job;
  std::uint64_t round = 0;
  std::uint64_t attempt = 0;
  protocol::SessionHash session{};  // of the first group; names the attempt
  std::vector<GroupReport> groups;
  std::vector<ClientId> invited;
  std::vector<ClientId> survivors;                     // whose updates are in the result
  std::map<ClientId, std::string> declined;            // "CODE: reason"
  std::map<ClientId, protocol::BudgetReport> budgets;  // as reported by survivors
  Milliseconds duration{0};
  std::uint32_t failures = 0;  // attempts of this round that failed before
};

// ---- effects, to be carried out in order. Every call of RequestArrived and UploadOpened gets
// exactly one Reply (none after UploadBroken); DropUpload of a call or DropSum of a session that
// holds nothing is harmless.
struct Notify {
  ClientId client;
  protocol::Notice notice;
};
struct Reply {
  CallId call = 0;
  Status status;
  Milliseconds retry{0};
};
struct BeginSum {
  protocol::SessionHash session{};
  secagg::RingLayout layout;
};  // one zeroed accumulator
struct AcceptUpload {
  CallId call = 0;
  secagg::RingLayout layout;
};  // start receiving
struct Accumulate {
  CallId call = 0;
};  // spooled vector into the sum
struct DropUpload {
  CallId call = 0;
};
struct DropSum {
  protocol::SessionHash session{};
};
// Durable before any later effect is carried out.
struct PersistSurvivors {
  protocol::SessionHash session{};
  JobId job;
  std::uint64_t round = 0, attempt = 0;
  std::vector<ClientId> survivors;
};
// One group's sum, ready to be opened.
struct ClosedSum {
  protocol::SessionHash session{};
  secagg::RoundConfig config;
  std::vector<secagg::LeftoverMask> masks;
  std::vector<ClientId> survivors;
};
// Of each sum: remove masks, decode, check. With at least `groups_needed` good ones: combine them,
// apply the server optimiser, store model + report in one transaction; answer with Published or
// PublishFailed. May run on another thread.
struct Publish {
  std::vector<ClosedSum> sums;
  std::uint32_t groups_needed = 1;
  RoundReport report;
};
// Takes the place of everything recorded before. The survivor sets of its sums were persisted by
// PersistSurvivors. Losing it loses evidence and wrongs nobody.
struct RecordSuspicion {
  cohort::SuspicionRecord record;
};
struct RecordFailure {
  RoundReport report;
  std::string reason;
};
struct JobChanged {
  JobId job;
  JobState state = JobState::kWaiting;
  std::string reason;
};
struct EvaluationRecorded {
  protocol::EvaluationReport report;
  ClientId evaluator;
};
// The checkpoint of `round` takes the place of that of `newest`, the last published round: the job
// goes on from it, with the next round's number.
struct RolledBack {
  JobId job;
  std::uint64_t round = 0;
  std::uint64_t newest = 0;
  std::string reason;
};
struct Progress {
  JobId job;
  std::uint64_t round = 0;
  Phase phase = Phase::kIdle;
  std::uint32_t done = 0, expected = 0;
};
// Worth a line in the log and in --watch; `text` is already escaped.
struct Note {
  bool warning = false;
  std::string text;
};
using Effect = std::variant<Notify, Reply, BeginSum, AcceptUpload, Accumulate, DropUpload, DropSum,
                            PersistSurvivors, Publish, RecordSuspicion, RecordFailure, JobChanged,
                            EvaluationRecorded, RolledBack, Progress, Note>;

class Core {
 public:
  // `verifier` and `rng` are borrowed and must outlive the core.
  Core(CoreSettings settings, crypto::PeerVerifier& verifier, SecureRng& rng);
  Core(Core&&) noexcept;
  ~Core();

  // `now` never goes back.
  std::vector<Effect> Advance(Instant now, const Event& event);

  // When TimePassed is due next; nothing while no deadline runs.
  std::optional<Instant> NextDeadline() const;

  // For reports and tests.
  Phase phase() const;
  std::optional<JobId> RunningJob() const;
  std::size_t Attached(Role role) const;
  std::uint64_t refusals() const;  // events that did not fit the state

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tutti::round

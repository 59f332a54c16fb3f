// The loop around the round machine: a bounded queue of events, Advance on one core thread, effects
// carried out in order. Sums are added on the core thread (a masked vector passes the cache once);
// opening and publishing a sum runs on a thread of its own, reading and writing for operators on
// the disk's thread. Thread safety: safe; every public function may be called from any thread (see
// rpc/ports.h for which may block).
//
// Threads: core (owns the round machine, sums, open calls), publisher, cores (mask removal), disk.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "common/platform/executor.h"
#include "common/secagg/accumulator.h"
#include "server/http/metrics.h"
#include "server/ledger_watch.h"
#include "server/publisher.h"
#include "server/rpc/partial_uploads.h"
#include "server/rpc/ports.h"
#include "server/store/directory.h"
#include "server/watchers.h"

namespace tutti::server {

struct CoordinatorSettings {
  round::CoreSettings core;
  std::size_t event_queue = 65536;
  std::size_t keep_models = 10;
  std::string noise_key_file;  // of jobs with noise = "tree"; made when missing
  bool insecure = false;       // clients have no certificates: level malicious is impossible
  std::string ca_pem;
};

// All borrowed; they outlive the coordinator.
struct CoordinatorParts {
  store::Store& store;
  store::Checkpoints& checkpoints;
  store::ModelShelf& shelf;
  store::Directory& directory;
  http::Metrics& metrics;
  rpc::SpoolPool& pool;
  rpc::PartialUploads& partial;
  platform::Executor& disk;  // one thread
  const Clock& clock;
  crypto::PeerVerifier& verifier;  // used by the core thread only
  SecureRng& rng;
};

class Coordinator final : public rpc::CoordinatorPort, public rpc::AdminPort {
 public:
  Coordinator(CoordinatorSettings settings, const CoordinatorParts& parts);
  ~Coordinator() override;

  // Takes up the jobs of the store where they were left; damaged checkpoints fall back to the one
  // before. Before Start.
  Status Restore();
  void Start();
  // Ends the core's thread; a round being published is finished first. Open calls are answered
  // Unavailable.
  void Stop();
  bool healthy() const;  // the core's loop went round in the last ten seconds

  // ---- rpc::CoordinatorPort
  Status Attach(rpc::Attachment attachment) override;
  Status Ask(const ClientId& client, protocol::Request request, rpc::ReplyFunction reply) override;
  StatusOr<round::CallId> OpenUpload(const ClientId& client, const protocol::UploadHeader& header,
                                     std::shared_ptr<rpc::IncomingUpload> upload) override;
  void Detached(const ClientId& client, const rpc::NoticeSink* sink) override;
  void UploadReceived(round::CallId call) override;
  void UploadEnded(round::CallId call, const Status& broken_rule) override;
  Milliseconds RetryWindow() const override;

  // ---- rpc::AdminPort
  StatusOr<rpc::JobStatus> SubmitJob(const v1::JobConfig& job, BytesView warm_start) override;
  StatusOr<rpc::JobStatus> StopJob(const std::string& name) override;
  StatusOr<rpc::JobStatus> ResumeJob(const std::string& name) override;
  StatusOr<rpc::JobStatus> JobCalled(const std::string& name) override;
  std::vector<rpc::JobStatus> AllJobs() override;
  Status Watch(const std::string& job, std::shared_ptr<rpc::JobWatcher> watcher) override;
  void Unwatch(const rpc::JobWatcher* watcher) override;
  Status RevokeClient(const std::string& name) override;
  Status ReadmitClient(const std::string& name) override;
  std::set<std::string> AttachedClients() override;
  Status FlushActivity() override;

 private:
  using Task = std::function<void()>;  // runs on the core thread
  struct Job {
    std::shared_ptr<const PreparedJob> prepared;  // null: its stored configuration no longer works
    rpc::JobStatus status;
    Digest model{};
    std::uint64_t model_bytes = 0;
    bool in_core = false;
  };
  struct OpenUploadCall {
    ClientId client;
    protocol::UploadHeader header;
    std::shared_ptr<rpc::IncomingUpload> upload;
    bool answered = false;
  };
  struct Traffic {
    std::uint64_t up = 0;
    std::uint64_t down = 0;
  };

  // coordinator.cc
  Status TryPost(Task task);                            // bounded: for clients
  void Post(Task task);                                 // always taken: for what must not be lost
  Status RunOnCore(const std::function<void()>& task);  // waits for it
  void Loop();
  bool WaitForWork(std::deque<Task>& work);
  void Housekeep(Instant now);
  void OnAttach(rpc::Attachment attachment);
  void OnDetached(const ClientId& client, const rpc::NoticeSink* sink);
  void Saw(const ClientId& client, const protocol::BudgetReport& budget,
           const std::string& software, const std::string& refusal);
  void JudgeLedger(const ClientId& client, const protocol::BudgetReport& budget,
                   LedgerReport report);
  void CountAttached();

  // coordinator_effects.cc
  void Dispatch(const round::Event& event);
  void Execute(std::vector<round::Effect> effects);
  void Do(round::Notify& effect);
  void Do(round::Reply& effect);
  void Do(round::BeginSum& effect);
  void Do(round::AcceptUpload& effect);
  void Do(round::Accumulate& effect);
  void Do(round::DropUpload& effect);
  void Do(round::DropSum& effect);
  void Do(round::PersistSurvivors& effect);
  void Do(round::Publish& effect);
  void Do(round::RecordSuspicion& effect);
  void Do(round::RecordFailure& effect);
  void Do(round::JobChanged& effect);
  void Do(round::EvaluationRecorded& effect);
  void Do(round::RolledBack& effect);
  void Do(round::Progress& effect);
  void Do(round::Note& effect);
  void OnPublished(const protocol::SessionHash& session, PublishResult result);
  rpc::JobStatus TellEvaluated(const protocol::EvaluationReport& report,
                               const std::string& evaluator, double accuracy,
                               const std::optional<store::RoundRecord>& round);
  void CountSuspects(const cohort::SuspicionRecord& record);
  Traffic TakeTraffic();

  // coordinator_jobs.cc
  StatusOr<rpc::JobStatus> Find(const std::string& name) const;
  StatusOr<store::ModelRecord> NewestSoundModel(const store::JobRecord& job);
  Status RestoreSuspicion(std::span<const store::ClientRecord> clients);
  Status RestoreJob(const store::JobRecord& record);
  StatusOr<round::JobSubmitted> Submission(const std::string& name, round::JobState state);
  rpc::JobStatus Update(const std::string& name, const std::function<void(Job&)>& change);

  const CoordinatorSettings settings_;
  const CoordinatorParts parts_;
  platform::Executor cores_;
  platform::Executor publishing_;
  Publisher publisher_;
  Watchers watchers_;

  std::mutex queue_mutex_;
  std::condition_variable queue_filled_;
  std::deque<Task> queue_;  // guarded by queue_mutex_
  bool stopping_ = false;   // guarded by queue_mutex_
  std::atomic<bool> started_{false};
  std::atomic<std::int64_t> last_turn_{0};
  std::atomic<round::CallId> next_call_{1};
  std::thread thread_;

  mutable std::mutex state_mutex_;
  std::map<std::string, Job> jobs_;  // guarded by state_mutex_
  std::vector<std::string> order_;   // guarded by state_mutex_; of submission
  std::set<std::string> attached_;   // guarded by state_mutex_

  // The core thread's own:
  round::Core core_;
  std::map<ClientId, std::shared_ptr<rpc::NoticeSink>> sinks_;
  std::map<round::CallId, rpc::ReplyFunction> calls_;
  std::map<round::CallId, OpenUploadCall> uploads_;
  std::map<protocol::SessionHash, std::unique_ptr<secagg::Accumulator>> sums_;
  std::map<std::string, store::ClientActivity> activity_;
  LedgerWatch ledgers_;
  std::set<protocol::SessionHash>
      unpersisted_;  // their survivor sets are not durable: nothing of them may be told
  Traffic counted_;
  Instant next_flush_{0};
  std::map<std::string, Instant>
      last_evaluation_until_;  // of done jobs: their watchers wait that long for it
  std::uint64_t open_publications_ = 0;
};

}  // namespace tutti::server

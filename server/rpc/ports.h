// What the RPC services need of the coordinator, and what the coordinator needs of open calls. The
// services turn bytes into values and post them; the coordinator answers later, from its own
// thread. Thread safety: implementations of every interface here are safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/protocol/messages.h"
#include "server/round/core.h"
#include "server/rpc/spool.h"
#include "server/store/records.h"
#include "tutti/v1/config.pb.h"

namespace tutti::rpc {

// Who calls: from the TLS certificate, checked against the directory.
struct Peer {
  ClientId name;
  std::string role;
};

// One client's open notice stream.
class NoticeSink {
 public:
  virtual ~NoticeSink() = default;
  virtual void Send(const protocol::Notice& notice) = 0;
  virtual void Close(const Status& status) = 0;
};

struct Attachment {
  ClientId client;
  round::Role role = round::Role::kTrainer;
  protocol::BudgetReport budget;
  std::string software;
  std::shared_ptr<NoticeSink> sink;
};

// One upload on its way in. Nothing is received before Accept.
class IncomingUpload {
 public:
  virtual ~IncomingUpload() = default;
  virtual void Accept(const secagg::RingLayout& layout) = 0;
  // Ends the call. Aborted: another call may go on from where this one got to.
  virtual void Answer(const Status& status, Milliseconds retry) = 0;
  // The received vector, after CoordinatorPort::UploadReceived.
  virtual Status Visit(std::size_t unit, const PartVisitor& visitor) = 0;
  virtual void Discard() = 0;  // frees the vector
};

using ReplyFunction = std::function<void(const Status& status, Milliseconds retry)>;

class CoordinatorPort {
 public:
  virtual ~CoordinatorPort() = default;
  // These return at once. ResourceExhausted: the event queue is full, nothing was taken;
  // Unavailable: shutting down.
  virtual Status Attach(Attachment attachment) = 0;
  virtual Status Ask(const ClientId& client, protocol::Request request, ReplyFunction reply) = 0;
  virtual StatusOr<round::CallId> OpenUpload(const ClientId& client,
                                             const protocol::UploadHeader& header,
                                             std::shared_ptr<IncomingUpload> upload) = 0;
  // These are always taken.
  virtual void Detached(const ClientId& client, const NoticeSink* sink) = 0;
  virtual void UploadReceived(round::CallId call) = 0;  // whole and with the header's digest
  // The call is gone or about to go, whatever its outcome; only the first of several counts.
  // `broken_rule`: not ok when what came was not what the header announced or no vector of the
  // round.
  virtual void UploadEnded(round::CallId call, const Status& broken_rule) = 0;
  // What clients are told to wait when the queue is full.
  virtual Milliseconds RetryWindow() const = 0;
};

// ---- operators

struct JobStatus {
  store::JobRecord record;
  std::uint64_t rounds_total = 0;
  std::uint64_t values = 0;
  std::string privacy_unit;
  std::string mechanism;
  std::string assumption;  // what the promise against the coordinator takes for granted
  std::string step;        // of the running round; empty: none runs
};
struct JobEvent {
  JobStatus job;
  std::optional<store::RoundRecord> finished;
  std::optional<round::Progress> progress;
  std::string line;
};
class JobWatcher {
 public:
  virtual ~JobWatcher() = default;
  virtual void OnEvent(const JobEvent& event) = 0;
  virtual void OnEnd() = 0;  // the job ended; nothing follows
};

// Calls may block: on the disk or on the core's thread. Never from an RPC thread or the core.
class AdminPort {
 public:
  virtual ~AdminPort() = default;
  // AlreadyExists when another job has the name; the identical job again is OK. InvalidArgument
  // lists what is wrong.
  virtual StatusOr<JobStatus> SubmitJob(const v1::JobConfig& job, BytesView warm_start) = 0;
  virtual StatusOr<JobStatus> StopJob(const std::string& name) = 0;
  virtual StatusOr<JobStatus> ResumeJob(const std::string& name) = 0;
  virtual StatusOr<JobStatus> JobCalled(const std::string& name) = 0;
  virtual std::vector<JobStatus> AllJobs() = 0;
  // The watcher gets the present status first. NotFound: no such job.
  virtual Status Watch(const std::string& job, std::shared_ptr<JobWatcher> watcher) = 0;
  virtual void Unwatch(const JobWatcher* watcher) = 0;
  virtual Status RevokeClient(const std::string& name) = 0;
  // Takes back what is held against the client for spoiled sums. NotFound; FailedPrecondition when
  // there is nothing.
  virtual Status ReadmitClient(const std::string& name) = 0;
  virtual std::set<std::string> AttachedClients() = 0;
  // Writes what was learned of clients since the last time to the store.
  virtual Status FlushActivity() = 0;
};

}  // namespace tutti::rpc

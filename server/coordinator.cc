#include "server/coordinator.h"

#include <pthread.h>

#include <algorithm>
#include <future>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/log/log.h"

namespace tutti::server {
namespace {

constexpr Milliseconds kFlushEvery{5000};   // what was learned of clients goes to the store
constexpr Milliseconds kLongestWait{1000};  // the loop shows that it lives
constexpr Milliseconds kUnhealthyAfter{10'000};
constexpr Milliseconds kRetry{1000};

std::size_t CoresForMasks() {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores > 1 ? cores - 1 : 1;
}

}  // namespace

Coordinator::Coordinator(CoordinatorSettings settings, const CoordinatorParts& parts)
    : settings_(std::move(settings)),
      parts_(parts),
      cores_("tutti-cores", CoresForMasks()),
      publishing_("tutti-publish", 1),
      publisher_(parts.store, parts.checkpoints, parts.shelf, cores_, parts.clock,
                 settings_.keep_models, settings_.noise_key_file),
      core_(settings_.core, parts.verifier, parts.rng) {
  last_turn_ = parts_.clock.Now().count();
}

Coordinator::~Coordinator() { Stop(); }

void Coordinator::Start() {
  started_ = true;
  thread_ = std::thread([this] { Loop(); });
}

void Coordinator::Stop() {
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_filled_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
  // What it posted to the core is done, but it may still be waking the core or collecting old
  // models, with members that die before it does.
  publishing_.Stop();
}

bool Coordinator::healthy() const {
  return parts_.clock.Now().count() - last_turn_ < kUnhealthyAfter.count();
}

Milliseconds Coordinator::RetryWindow() const { return kRetry; }

// ---- the queue

Status Coordinator::TryPost(Task task) {
  {
    const std::lock_guard lock(queue_mutex_);
    if (stopping_) {
      return Unavailable("the coordinator is shutting down; try again later");
    }
    if (queue_.size() >= settings_.event_queue) {
      return ResourceExhausted("the coordinator is busy; try again in a second");
    }
    queue_.push_back(std::move(task));
  }
  queue_filled_.notify_one();
  return OkStatus();
}

void Coordinator::Post(Task task) {
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(task));
  }
  queue_filled_.notify_one();
}

Status Coordinator::RunOnCore(const std::function<void()>& task) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> finished = done->get_future();
  {
    const std::lock_guard lock(queue_mutex_);
    if (stopping_ || !started_) {
      return Unavailable("the coordinator is shutting down; try again later");
    }
    queue_.push_back([task, done] {
      task();
      done->set_value();
    });
  }
  queue_filled_.notify_one();
  finished.wait();
  return OkStatus();
}

// False when it is time to end.
bool Coordinator::WaitForWork(std::deque<Task>& work) {
  const Instant now = parts_.clock.Now();
  Milliseconds wait = kLongestWait;
  if (const auto deadline = core_.NextDeadline()) {
    wait = std::clamp(*deadline - now, Milliseconds(0), wait);
  }
  std::unique_lock lock(queue_mutex_);
  queue_filled_.wait_for(lock, wait, [this] { return stopping_ || !queue_.empty(); });
  work.swap(queue_);
  parts_.metrics.SetQueue(work.size());
  return !stopping_ || !work.empty() || open_publications_ > 0;
}

void Coordinator::Loop() {
  pthread_setname_np(pthread_self(), "tutti-core");
  std::deque<Task> work;
  while (WaitForWork(work)) {
    for (Task& task : work) {
      task();
      task = nullptr;
    }
    work.clear();
    const Instant now = parts_.clock.Now();
    last_turn_ = now.count();
    if (const auto deadline = core_.NextDeadline(); deadline && *deadline <= now) {
      Dispatch(round::TimePassed{});
    }
    Housekeep(now);
  }
  const Status ending = Unavailable("the coordinator is shutting down; try again later");
  for (auto& [call, reply] : calls_) {
    reply(ending, kRetry);
  }
  for (auto& [call, upload] : uploads_) {
    upload.upload->Answer(ending, kRetry);
  }
  for (auto& [client, sink] : sinks_) {
    sink->Close(ending);
  }
}

void Coordinator::Housekeep(Instant now) {
  for (auto waiting = last_evaluation_until_.begin(); waiting != last_evaluation_until_.end();) {
    if (now < waiting->second) {
      ++waiting;
      continue;
    }
    watchers_.End(waiting->first);
    waiting = last_evaluation_until_.erase(waiting);
  }
  if (now < next_flush_ || activity_.empty()) {
    return;
  }
  next_flush_ = now + kFlushEvery;
  auto activity = std::make_shared<std::vector<store::ClientActivity>>();
  for (auto& [name, one] : activity_) {
    activity->push_back(std::move(one));
  }
  activity_.clear();
  parts_.disk.TryPost([this, activity] {
    if (const Status status = parts_.store.RecordActivity(*activity); !status.ok()) {
      log::Warn("clients' activity was not stored", {{"reason", status}});
    }
  });
}

Status Coordinator::FlushActivity() {
  std::vector<store::ClientActivity> activity;
  const Status taken = RunOnCore([&] {
    for (auto& [name, one] : activity_) {
      activity.push_back(std::move(one));
    }
    activity_.clear();
  });
  TUTTI_TRY(taken);
  return parts_.store.RecordActivity(activity);
}

// ---- clients

void Coordinator::Saw(const ClientId& client, const protocol::BudgetReport& budget,
                      const std::string& software, const std::string& refusal) {
  store::ClientActivity& activity = activity_[client.value()];
  activity.name = client.value();
  activity.last_seen_at = parts_.clock.Wall();
  if (budget.epsilon_budget > 0) {
    activity.budget.epsilon_spent = budget.epsilon_spent;
    activity.budget.epsilon_budget = budget.epsilon_budget;
    activity.budget.delta = budget.delta;
  }
  if (!software.empty()) {
    activity.software = software;
  }
  if (!refusal.empty()) {
    activity.last_refusal = refusal;
  }
}

// The store gets what the watch was told, in its order: a restart forgets nothing.
void Coordinator::JudgeLedger(const ClientId& client, const protocol::BudgetReport& budget,
                              LedgerReport report) {
  if (!budget.ledger) {
    return;
  }
  const auto doubt = ledgers_.Saw(client.value(), *budget.ledger, report);
  store::ClientActivity& activity = activity_[client.value()];
  activity.budget.ledger = ledgers_.Newest(client.value());
  if (!doubt) {
    return;
  }
  activity.ledger_doubt = doubt->text;
  parts_.metrics.AddLedgerDoubt();
  const std::initializer_list<log::Field> fields{{"client", client.value()},
                                                 {"ledger", doubt->text}};
  doubt->first ? log::Warn("a client's privacy ledger is in doubt", fields)
               : log::Debug("a client's privacy ledger is in doubt", fields);
}

Status Coordinator::Attach(rpc::Attachment attachment) {
  auto held = std::make_shared<rpc::Attachment>(std::move(attachment));
  return TryPost([this, held] { OnAttach(std::move(*held)); });
}

void Coordinator::OnAttach(rpc::Attachment attachment) {
  const ClientId client = attachment.client;
  if (settings_.insecure) {
    // Nobody enrols without certificates: whoever comes is written down.
    store::ClientRecord record;
    record.name = client.value();
    record.role = attachment.role == round::Role::kEvaluator ? "evaluator" : "trainer";
    record.spki = crypto::Sha256(AsBytes("insecure/" + record.name));
    record.enrolled_at = parts_.clock.Wall();
    if (!parts_.directory.Find(record.spki)) {
      parts_.directory.Put(record);
      parts_.disk.TryPost([this, record] { parts_.store.AddClient(record).IgnoreError(); });
    }
  }
  std::shared_ptr<rpc::NoticeSink>& sink = sinks_[client];
  if (sink != nullptr) {
    sink->Close(Aborted("a newer connection of the same client replaced this one"));
    parts_.metrics.AddReplacedConnection();
    log::Debug("a newer connection replaces a client's older one", {{"client", client}});
  }
  sink = std::move(attachment.sink);
  Saw(client, attachment.budget, attachment.software, "");
  JudgeLedger(client, attachment.budget, LedgerReport::kFresh);
  Dispatch(round::ClientAttached{client, attachment.role, attachment.budget});
  CountAttached();
}

void Coordinator::Detached(const ClientId& client, const rpc::NoticeSink* sink) {
  Post([this, client, sink] { OnDetached(client, sink); });
}

void Coordinator::OnDetached(const ClientId& client, const rpc::NoticeSink* sink) {
  const auto found = sinks_.find(client);
  if (found == sinks_.end() || found->second.get() != sink) {
    return;  // a newer stream took its place
  }
  sinks_.erase(found);
  Saw(client, {}, "", "");
  Dispatch(round::ClientDetached{client});
  CountAttached();
}

void Coordinator::CountAttached() {
  parts_.metrics.SetAttached(core_.Attached(round::Role::kTrainer),
                             core_.Attached(round::Role::kEvaluator));
  const std::lock_guard lock(state_mutex_);
  attached_.clear();
  for (const auto& [client, sink] : sinks_) {
    attached_.insert(client.value());
  }
}

std::set<std::string> Coordinator::AttachedClients() {
  const std::lock_guard lock(state_mutex_);
  return attached_;
}

Status Coordinator::RevokeClient(const std::string& name) {
  TUTTI_TRY(parts_.store.RevokeClient(name));
  parts_.directory.Revoke(name);
  log::Info("client revoked", {{"client", name}});
  return RunOnCore([this, client = ClientId(name)] {
    ledgers_.Forget(client.value());
    Dispatch(round::ClientRevoked{client});
    if (const auto found = sinks_.find(client); found != sinks_.end()) {
      found->second->Close(PermissionDenied("this client was revoked; ask the operator"));
    }
  });
}

Status Coordinator::ReadmitClient(const std::string& name) {
  TUTTI_ASSIGN(const auto clients, parts_.store.Clients());
  const auto known = std::find_if(clients.begin(), clients.end(),
                                  [&](const store::ClientRecord& one) { return one.name == name; });
  if (known == clients.end()) {
    return NotFound(Join("no client is called \"", Escaped(name), "\"; tutti clients shows them"));
  }
  if (known->suspicion == 0 && known->excluded.empty()) {
    return FailedPrecondition(Join("client ", name,
                                   " is neither suspected nor excluded for spoiled "
                                   "sums, so there is nothing to take back"));
  }
  TUTTI_TRY(
      RunOnCore([this, client = ClientId(name)] { Dispatch(round::ClientReadmitted{client}); }));
  log::Info("client readmitted",
            {{"client", name}, {"suspicion", known->suspicion}, {"excluded", known->excluded}});
  return OkStatus();
}

// ---- calls

Status Coordinator::Ask(const ClientId& client, protocol::Request request,
                        rpc::ReplyFunction reply) {
  const round::CallId call = next_call_++;
  auto held = std::make_shared<protocol::Request>(std::move(request));
  return TryPost([this, call, client, held, reply = std::move(reply)]() mutable {
    if (const auto* unmask = std::get_if<protocol::UnmaskRequest>(held.get())) {
      Saw(client, unmask->budget, "", "");
      JudgeLedger(client, unmask->budget, LedgerReport::kRepeated);
    } else if (const auto* decline = std::get_if<protocol::DeclineRequest>(held.get())) {
      Saw(client, decline->budget, "", Escaped(decline->code + ": " + decline->reason, 600));
    }
    calls_.emplace(call, std::move(reply));
    Dispatch(round::RequestArrived{call, client, std::move(*held)});
  });
}

StatusOr<round::CallId> Coordinator::OpenUpload(const ClientId& client,
                                                const protocol::UploadHeader& header,
                                                std::shared_ptr<rpc::IncomingUpload> upload) {
  const round::CallId call = next_call_++;
  TUTTI_TRY(TryPost([this, call, client, header, upload = std::move(upload)] {
    uploads_.emplace(call, OpenUploadCall{client, header, upload});
    Dispatch(round::UploadOpened{call, client, header});
  }));
  return call;
}

void Coordinator::UploadReceived(round::CallId call) {
  Post([this, call] {
    if (const auto found = uploads_.find(call); found != uploads_.end()) {
      const OpenUploadCall open = found->second;
      Dispatch(round::UploadFinished{call, open.client, open.header});
    }
  });
}

void Coordinator::UploadEnded(round::CallId call, const Status& broken_rule) {
  Post([this, call, broken_rule] {
    const auto found = uploads_.find(call);
    if (found == uploads_.end()) {
      return;
    }
    const OpenUploadCall open = found->second;
    if (!open.answered) {
      Dispatch(round::UploadBroken{call, open.client, broken_rule});
    }
    uploads_.erase(call);
    parts_.metrics.SetUploads(parts_.pool.in_memory(), parts_.pool.in_files());
  });
}

}  // namespace tutti::server

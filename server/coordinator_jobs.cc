// Jobs: what operators ask for, and taking them up again after a restart.
#include <google/protobuf/util/message_differencer.h>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "common/model/warm_start.h"
#include "server/coordinator.h"

namespace tutti::server {
namespace {

bool SameJob(const Bytes& stored, const v1::JobConfig& job) {
  v1::JobConfig other;
  return other.ParseFromArray(stored.data(), static_cast<int>(stored.size())) &&
         google::protobuf::util::MessageDifferencer::Equals(other, job);
}

Status NoSuchJob(const std::string& name) {
  return NotFound(Join("no job is called \"", Escaped(name), "\"; tutti job list shows them"));
}

// What a job does not change while it runs.
void Describe(const PreparedJob& prepared, rpc::JobStatus& status) {
  status.rounds_total = prepared.config.rounds();
  status.values = prepared.layout.values;
  status.privacy_unit = NameOf(prepared.setting.unit);
  status.mechanism = privacy::MechanismName(prepared.setting);
  status.assumption = privacy::Assumption(prepared.setting);
}

// Keys that jobs of earlier versions were stored without, as they were meant.
void AddNewKeys(v1::JobConfig& config) {
  v1::PrivacySpec& privacy = *config.mutable_privacy();
  if (privacy.noise().empty()) {
    privacy.set_noise("local");
    privacy.set_distribution("discrete_gaussian");
    privacy.set_clip_learning_rate(0.2);
  }
}

}  // namespace

rpc::JobStatus Coordinator::Update(const std::string& name,
                                   const std::function<void(Job&)>& change) {
  const std::lock_guard lock(state_mutex_);
  Job& job = jobs_[name];
  job.status.record.name = name;
  change(job);
  return job.status;
}

// ---- restart

StatusOr<store::ModelRecord> Coordinator::NewestSoundModel(const store::JobRecord& job) {
  TUTTI_ASSIGN(const auto models, parts_.store.Models(job.name));
  Status last = DataLoss(Join("job ", job.name, " has no checkpoint"));
  for (const store::ModelRecord& model : models) {
    const StatusOr<Bytes> bytes = parts_.checkpoints.Read(model);
    if (bytes.ok()) {
      return model;
    }
    last = bytes.status();
    log::Error("a checkpoint is unusable; going back to the one before",
               {{"job", job.name}, {"round", model.round}, {"reason", last}});
  }
  return last;
}

Status Coordinator::RestoreJob(const store::JobRecord& record) {
  {
    const std::lock_guard lock(state_mutex_);
    order_.push_back(record.name);
  }
  Update(record.name, [&](Job& job) { job.status.record = record; });
  v1::JobConfig config;
  if (!config.ParseFromArray(record.config.data(), static_cast<int>(record.config.size()))) {
    return DataLoss(Join("the stored configuration of job ", record.name, " cannot be read"));
  }
  AddNewKeys(config);
  TUTTI_ASSIGN(PreparedJob prepared, PrepareJob(config));
  TUTTI_ASSIGN(const store::ModelRecord model, NewestSoundModel(record));
  prepared.identity = std::to_string(record.submitted_at);
  if (model.round < record.rounds_done) {
    if (prepared.setting.noise == privacy::NoiseSource::kTree) {
      return FailedPrecondition(
          Join("the newest checkpoints are lost, and rounds after ", model.round,
               " cannot be done again: their tree's noise must not be drawn twice for different "
               "sums; start a new job from the newest model (warm_start)"));
    }
    TUTTI_TRY(parts_.store.RollBackTo(record.name, model.round, "its checkpoint was damaged"));
  }
  parts_.shelf.Put(model, nullptr);
  Update(record.name, [&](Job& job) {
    Describe(prepared, job.status);
    job.status.record.rounds_done = model.round;
    job.prepared = std::make_shared<const PreparedJob>(std::move(prepared));
    job.model = model.sha256;
    job.model_bytes = model.bytes;
  });
  return OkStatus();
}

Status Coordinator::RestoreSuspicion(std::span<const store::ClientRecord> clients) {
  round::SuspicionRestored restored;
  TUTTI_ASSIGN(restored.record, parts_.store.Suspicion());
  for (const store::ClientRecord& client : clients) {
    if (client.role == "trainer" && !client.revoked) {
      restored.trainers.insert(ClientId(client.name));
    }
  }
  CountSuspects(restored.record);
  Post([this, restored] { Dispatch(restored); });
  return OkStatus();
}

Status Coordinator::Restore() {
  TUTTI_ASSIGN(const auto clients, parts_.store.Clients());
  ledgers_.Load(clients);
  TUTTI_TRY(RestoreSuspicion(clients));
  TUTTI_ASSIGN(const auto jobs, parts_.store.Jobs());
  for (const store::JobRecord& record : jobs) {
    if (const Status status = RestoreJob(record); !status.ok()) {
      const std::string reason = "cannot go on after the restart: " + TextOf(status);
      log::Error("job cannot go on", {{"job", record.name}, {"reason", status}});
      TUTTI_TRY(parts_.store.SetJobState(record.name, round::JobState::kFailed, reason));
      Update(record.name, [&](Job& job) {
        job.status.record.state = round::JobState::kFailed;
        job.status.record.reason = reason;
      });
      continue;
    }
    if (record.state == round::JobState::kFailed) {
      continue;  // an operator may resume it
    }
    // Done, but its last checkpoint is lost: it is not.
    const bool reopened = record.state == round::JobState::kDone &&
                          Find(record.name)->record.rounds_done < record.rounds_done;
    TUTTI_ASSIGN(const round::JobSubmitted submission,
                 Submission(record.name, reopened ? round::JobState::kWaiting : record.state));
    Post([this, submission] { Dispatch(submission); });
    if (record.state != round::JobState::kStopped && record.state != round::JobState::kDone) {
      log::Info("job goes on", {{"job", record.name}, {"rounds_done", submission.rounds_done}});
    }
  }
  return OkStatus();
}

StatusOr<round::JobSubmitted> Coordinator::Submission(const std::string& name,
                                                      round::JobState state) {
  round::JobSubmitted submission;
  {
    const std::lock_guard lock(state_mutex_);
    Job& job = jobs_.at(name);
    if (job.prepared == nullptr) {
      return FailedPrecondition(Join("job ", name, " cannot run: ", job.status.record.reason));
    }
    submission.settings = job.prepared->settings;
    submission.rounds_done = job.status.record.rounds_done;
    submission.model = {job.model, job.model_bytes};
    job.in_core = true;
  }
  submission.state = state;
  TUTTI_ASSIGN(submission.last_attempt, parts_.store.LastAttempt(name, submission.rounds_done + 1));
  TUTTI_ASSIGN(const std::vector<store::RoundRecord> rounds, parts_.store.Rounds(name));
  for (const store::RoundRecord& round : rounds) {
    if (round.loss >= 0) submission.losses[round.round] = round.loss;
  }
  TUTTI_ASSIGN(const std::vector<store::ModelRecord> models, parts_.store.Models(name));
  for (const store::ModelRecord& model : models) {
    if (submission.losses.contains(model.round)) {
      submission.models[model.round] = {model.sha256, model.bytes};
    }
  }
  return submission;
}

// ---- operators

StatusOr<rpc::JobStatus> Coordinator::SubmitJob(const v1::JobConfig& submitted,
                                                BytesView warm_start) {
  TUTTI_ASSIGN(const v1::JobConfig config, CompletedJob(submitted, warm_start));
  TUTTI_ASSIGN(PreparedJob prepared, PrepareJob(config));
  const std::string name = config.name();
  if (settings_.insecure && prepared.settings.config.level == secagg::ThreatLevel::kMalicious) {
    return FailedPrecondition(
        "secure_aggregation.level = \"malicious\" needs certificates, but this coordinator runs "
        "with "
        "insecure_loopback; set level = \"curious\" or run with certificates");
  }
  if (const auto known = Find(name); known.ok()) {
    if (SameJob(known->record.config, config)) {
      return known;
    }
    return AlreadyExists(Join("another job is called ", name, " already; choose another name"));
  }
  TUTTI_ASSIGN(Bytes checkpoint, FirstCheckpoint(prepared, warm_start));
  std::optional<model::Reuse> reuse;
  if (!warm_start.empty()) {
    TUTTI_ASSIGN(reuse, model::PlanReuse(config.model(), prepared.layout, warm_start));
    if (config.kind() == "evaluate" && !reuse->seeded.empty()) {
      return InvalidArgument(
          Join("warm_start: the file lacks parameters of the model, and a job that evaluates "
               "cannot draw them; ",
               model::TextOf(*reuse), "; name a file of this model"));
    }
  }
  store::ModelRecord model;
  model.job = name;
  model.sha256 = crypto::Sha256(checkpoint);
  model.bytes = checkpoint.size();
  model.created_at = parts_.clock.Wall();
  TUTTI_ASSIGN(model.path,
               parts_.checkpoints.Write(name, 0, model.sha256, checkpoint,
                                        store::ManifestJson(model, {}, prepared.task_json)));
  Failpoint("server.first_checkpoint_written");
  store::JobRecord record;
  record.name = name;
  record.config = ToBytes(AsBytes(config.SerializeAsString()));
  record.submitted_at = model.created_at;
  prepared.identity = std::to_string(record.submitted_at);
  TUTTI_TRY(parts_.store.AddJob(record, model));
  parts_.shelf.Put(model, nullptr);
  {
    const std::lock_guard lock(state_mutex_);
    order_.push_back(name);
    Job& job = jobs_[name];
    job.status.record = record;
    Describe(prepared, job.status);
    job.prepared = std::make_shared<const PreparedJob>(std::move(prepared));
    job.model = model.sha256;
    job.model_bytes = model.bytes;
  }
  log::Info("job submitted", {{"job", name}, {"rounds", config.rounds()}});
  if (reuse && !reuse->complete()) {
    log::Info("warm start is of another model", {{"job", name}, {"used", model::TextOf(*reuse)}});
  }
  TUTTI_ASSIGN(const round::JobSubmitted submission, Submission(name, record.state));
  TUTTI_TRY(RunOnCore([&] { Dispatch(submission); }));
  return Find(name);
}

StatusOr<rpc::JobStatus> Coordinator::StopJob(const std::string& name) {
  TUTTI_TRY(Find(name).status());
  TUTTI_TRY(RunOnCore([&] { Dispatch(round::JobStopRequested{JobId(name)}); }));
  TUTTI_ASSIGN(const rpc::JobStatus status, Find(name));
  if (status.record.state != round::JobState::kStopped) {
    return FailedPrecondition(Join("job ", name, " is ", round::JobStateName(status.record.state),
                                   ", so there is nothing to stop"));
  }
  return status;
}

StatusOr<rpc::JobStatus> Coordinator::ResumeJob(const std::string& name) {
  TUTTI_TRY(Find(name).status());
  bool in_core = false;
  {
    const std::lock_guard lock(state_mutex_);
    in_core = jobs_.at(name).in_core;
  }
  round::Event event = round::JobResumeRequested{JobId(name)};
  if (!in_core) {
    TUTTI_ASSIGN(event, Submission(name, round::JobState::kWaiting));
  }
  TUTTI_TRY(RunOnCore([&] { Dispatch(event); }));
  TUTTI_ASSIGN(const rpc::JobStatus status, Find(name));
  if (status.record.state == round::JobState::kDone) {
    return FailedPrecondition(Join("job ", name, " is done, so there is nothing to resume"));
  }
  return status;
}

StatusOr<rpc::JobStatus> Coordinator::Find(const std::string& name) const {
  const std::lock_guard lock(state_mutex_);
  const auto found = jobs_.find(name);
  return found == jobs_.end() ? StatusOr<rpc::JobStatus>(NoSuchJob(name))
                              : StatusOr<rpc::JobStatus>(found->second.status);
}

// Who asks sees everything that happened before: the core first ends what it is at.
StatusOr<rpc::JobStatus> Coordinator::JobCalled(const std::string& name) {
  TUTTI_TRY(RunOnCore([] {}));
  return Find(name);
}

std::vector<rpc::JobStatus> Coordinator::AllJobs() {
  RunOnCore([] {}).IgnoreError();
  const std::lock_guard lock(state_mutex_);
  std::vector<rpc::JobStatus> jobs;
  for (const std::string& name : order_) {
    jobs.push_back(jobs_.at(name).status);
  }
  return jobs;
}

Status Coordinator::Watch(const std::string& name, std::shared_ptr<rpc::JobWatcher> watcher) {
  TUTTI_TRY(Find(name).status());
  return RunOnCore([&] {
    const auto status = Find(name);
    watcher->OnEvent({.job = *status, .finished = {}, .progress = {}, .line = ""});
    const round::JobState state = status->record.state;
    if (state == round::JobState::kWaiting || state == round::JobState::kRunning ||
        last_evaluation_until_.contains(name)) {
      watchers_.Add(name, watcher);
    } else {
      watcher->OnEnd();
    }
  });
}

void Coordinator::Unwatch(const rpc::JobWatcher* watcher) { watchers_.Remove(watcher); }

}  // namespace tutti::server

// The coordinator's durable memory. Every method is one transaction: after an OK it survives a
// crash of the machine, after an error nothing changed. Checkpoint files are written before the row
// that names them (server/store/checkpoints.h). Thread safety: implementations are safe; calls
// block on the disk, so never from an RPC's thread.
//
// Errors: ResourceExhausted (disk full), DataLoss (damaged; also after a failed fsync, until a
// restart), NotFound, AlreadyExists, Unavailable (any other failure of the disk).
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "server/store/records.h"

namespace tutti::store {

class Store {
 public:
  virtual ~Store() = default;

  // ---- clients and tokens
  virtual StatusOr<std::vector<ClientRecord>> Clients() = 0;  // by name
  // AlreadyExists when the name belongs to another key. The same name and key again replaces expiry
  // and role.
  virtual Status AddClient(const ClientRecord& client) = 0;
  virtual Status RevokeClient(const std::string& name) = 0;
  virtual Status RecordActivity(std::span<const ClientActivity> activity) = 0;
  // What is held against clients for spoiled sums, in place of what was. A sum whose survivors
  // RecordSurvivors did not write has none when it is read.
  virtual Status RecordSuspicion(const cohort::SuspicionRecord& record) = 0;
  virtual StatusOr<cohort::SuspicionRecord> Suspicion() = 0;
  virtual Status AddToken(const TokenRecord& token) = 0;
  // NotFound for an unknown token. Expiry and use are for the caller to judge.
  virtual StatusOr<TokenRecord> FindToken(const Digest& secret_hash) = 0;
  // Uses the token up and adds its client, at once. The same key may come again with the same token
  // (it never got the answer). A token bound to the name of a revoked client gives that name to the
  // new key. Unauthenticated: unknown, used by another key or expired at `now`. AlreadyExists: the
  // name belongs to another key.
  virtual Status Enrol(const Digest& secret_hash, const ClientRecord& client, WallSeconds now) = 0;

  // ---- jobs
  virtual Status AddJob(const JobRecord& job, const ModelRecord& first_weights) = 0;
  virtual StatusOr<std::vector<JobRecord>> Jobs() = 0;  // in the order of submission
  virtual StatusOr<JobRecord> Job(const std::string& name) = 0;
  virtual Status SetJobState(const std::string& name, round::JobState state,
                             const std::string& reason) = 0;

  // ---- rounds
  virtual Status RecordSurvivors(const SurvivorRecord& survivors) = 0;
  // Model, round, the job's progress and the clients' counters together. Publishing the same
  // session again is OK and changes nothing.
  virtual Status Publish(const Publication& publication) = 0;
  virtual Status RecordFailure(const RoundRecord& round, std::span<const std::string> dropouts) = 0;
  // Several evaluators of one round are averaged by their numbers of examples; one evaluator counts
  // once.
  virtual Status RecordEvaluation(const protocol::EvaluationReport& report,
                                  const std::string& evaluator) = 0;
  // Published rounds, oldest first.
  virtual StatusOr<std::vector<RoundRecord>> Rounds(const std::string& job) = 0;
  // Largest attempt number any durable record of the round names; 0: none.
  virtual StatusOr<std::uint64_t> LastAttempt(const std::string& job, std::uint64_t round) = 0;
  // How many sums were released whose smallest had that many clients: of all rounds that were ever
  // published, also of those that were dropped again.
  virtual StatusOr<std::map<std::uint64_t, std::uint64_t>> ReleasedSums(const std::string& job) = 0;

  // ---- checkpoints
  virtual StatusOr<std::vector<ModelRecord>> Models(
      const std::string& job) = 0;  // newest first; empty job: all
  // Forgets all but the newest `keep` checkpoints of the job, the one with the smallest evaluated
  // loss and, of jobs that are evaluated, up to 16 more that are newer than the last evaluation;
  // gives the forgotten ones, whose files may go.
  virtual StatusOr<std::vector<ModelRecord>> ForgetOldModels(const std::string& job,
                                                             std::size_t keep) = 0;
  // The checkpoint of `round` takes the place of that of `newest` as well.
  virtual Status Reinstate(const std::string& job, std::uint64_t round, std::uint64_t newest) = 0;
  // Forgets checkpoints and progress after `round`, for `reason`. The job goes on from there.
  virtual Status RollBackTo(const std::string& job, std::uint64_t round,
                            const std::string& reason) = 0;
};

}  // namespace tutti::store

// Store on one SQLite file: WAL, synchronous=FULL, foreign keys, schema with migrations.
// Thread safety: safe; one mutex around the connection.
#pragma once

#include <memory>
#include <mutex>

#include "server/store/schema.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace tutti::store {

class SqliteStore final : public Store {
 public:
  // Makes the file when it is missing. Errors: see PrepareSchema; PermissionDenied.
  static StatusOr<std::unique_ptr<SqliteStore>> Open(
      const std::string& path, std::span<const std::string_view> migrations = Migrations());

  StatusOr<std::vector<ClientRecord>> Clients() override;
  Status AddClient(const ClientRecord& client) override;
  Status RevokeClient(const std::string& name) override;
  Status RecordActivity(std::span<const ClientActivity> activity) override;
  Status RecordSuspicion(const cohort::SuspicionRecord& record) override;
  StatusOr<cohort::SuspicionRecord> Suspicion() override;
  Status AddToken(const TokenRecord& token) override;
  StatusOr<TokenRecord> FindToken(const Digest& secret_hash) override;
  Status Enrol(const Digest& secret_hash, const ClientRecord& client, WallSeconds now) override;

  Status AddJob(const JobRecord& job, const ModelRecord& first_weights) override;
  StatusOr<std::vector<JobRecord>> Jobs() override;
  StatusOr<JobRecord> Job(const std::string& name) override;
  Status SetJobState(const std::string& name, round::JobState state,
                     const std::string& reason) override;

  Status RecordSurvivors(const SurvivorRecord& survivors) override;
  Status Publish(const Publication& publication) override;
  Status RecordFailure(const RoundRecord& round, std::span<const std::string> dropouts) override;
  Status RecordEvaluation(const protocol::EvaluationReport& report,
                          const std::string& evaluator) override;
  StatusOr<std::vector<RoundRecord>> Rounds(const std::string& job) override;
  StatusOr<std::uint64_t> LastAttempt(const std::string& job, std::uint64_t round) override;
  StatusOr<std::map<std::uint64_t, std::uint64_t>> ReleasedSums(const std::string& job) override;

  StatusOr<std::vector<ModelRecord>> Models(const std::string& job) override;
  StatusOr<std::vector<ModelRecord>> ForgetOldModels(const std::string& job,
                                                     std::size_t keep) override;
  Status Reinstate(const std::string& job, std::uint64_t round, std::uint64_t newest) override;
  Status RollBackTo(const std::string& job, std::uint64_t round,
                    const std::string& reason) override;

 private:
  explicit SqliteStore(Database database) : database_(std::move(database)) {}
  Status PutClient(const ClientRecord& client, bool may_replace_revoked);
  StatusOr<TokenRecord> TokenBy(const Digest& secret_hash);
  StatusOr<std::vector<JobRecord>> JobsWhere(const std::string& name);
  Status PutRound(const RoundRecord& round);
  Status PutEvaluation(const protocol::EvaluationReport& report, const std::string& evaluator);
  Status CountDropouts(std::span<const std::string> dropouts);
  Status PutActivity(const ClientActivity& activity);

  std::mutex mutex_;
  Database database_;  // guarded by mutex_
};

}  // namespace tutti::store

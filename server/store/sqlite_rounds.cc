// Rounds, evaluations and checkpoints of SqliteStore.
#include "common/base/text.h"
#include "server/store/sqlite_store.h"

namespace tutti::store {
namespace {

// Evaluations come late. So many models more are kept while they may still turn out the best.
constexpr std::size_t kAwaitingEvaluation = 16;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

// Accuracy and loss over all evaluators of a round, weighted by their examples.
constexpr const char* kRoundsSql =
    "SELECT r.round, attempt, session, reason, invited, survivors, declined, seconds, bytes_up, "
    "bytes_down, max_epsilon, delta, privacy_unit, mechanism, accountant, model_sha256, "
    "sum_sha256, "
    "finished_at, refusals, failures, coalesce(e.accuracy, -1), coalesce(e.loss, -1), r.groups, "
    "groups_left_out, max_epsilon_models, realised_epsilon, realised_epsilon_models, smallest_sum "
    "FROM rounds r LEFT JOIN (SELECT round, sum(accuracy * examples) / sum(examples) AS accuracy, "
    "sum(loss * examples) / sum(examples) AS loss FROM evaluations WHERE job = ?1 AND examples > 0 "
    "GROUP BY round) e ON e.round = r.round WHERE job = ?1 AND published ORDER BY r.round";

RoundRecord RoundFrom(const Row& row, const std::string& job) {
  return {.job = job,
          .round = row.Unsigned(0),
          .attempt = row.Unsigned(1),
          .published = true,
          .reason = row.Text(3),
          .session = row.Hash(2),
          .invited = static_cast<std::uint32_t>(row.Unsigned(4)),
          .survivors = static_cast<std::uint32_t>(row.Unsigned(5)),
          .declined = static_cast<std::uint32_t>(row.Unsigned(6)),
          .groups = static_cast<std::uint32_t>(row.Unsigned(22)),
          .groups_left_out = static_cast<std::uint32_t>(row.Unsigned(23)),
          .seconds = row.Real(7),
          .bytes_up = row.Unsigned(8),
          .bytes_down = row.Unsigned(9),
          .accuracy = row.Real(20),
          .loss = row.Real(21),
          .max_epsilon = row.Real(10),
          .max_epsilon_models = row.Real(24),
          .realised_epsilon = row.Real(25),
          .realised_epsilon_models = row.Real(26),
          .smallest_sum = static_cast<std::uint32_t>(row.Unsigned(27)),
          .delta = row.Real(11),
          .privacy_unit = row.Text(12),
          .mechanism = row.Text(13),
          .accountant = row.Text(14),
          .model_sha256 = row.Hash(15),
          .sum_sha256 = row.Hash(16),
          .finished_at = row.Int(17),
          .refusals = Lines(row.Text(18)),
          .failures = static_cast<std::uint32_t>(row.Unsigned(19))};
}

ModelRecord ModelFrom(const Row& row) {
  return {.job = row.Text(0),
          .round = row.Unsigned(1),
          .sha256 = row.Hash(2),
          .bytes = row.Unsigned(4),
          .accuracy = row.Real(6),
          .created_at = row.Int(5),
          .path = row.Text(3)};
}

}  // namespace

Status SqliteStore::RecordSurvivors(const SurvivorRecord& survivors) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    for (const std::string& client : survivors.clients) {
      TUTTI_TRY(database_.Run(
          "INSERT OR IGNORE INTO survivors(session, client, job, round, attempt) "
          "VALUES(?1, ?2, ?3, ?4, ?5)",
          BytesView(survivors.session), client, survivors.job, survivors.round, survivors.attempt));
    }
    return OkStatus();
  });
}

Status SqliteStore::PutRound(const RoundRecord& round) {
  return database_.Run(
      "INSERT OR REPLACE INTO rounds(job, round, attempt, session, published, reason, invited, "
      "survivors, declined, seconds, bytes_up, bytes_down, max_epsilon, delta, privacy_unit, "
      "mechanism, accountant, model_sha256, sum_sha256, finished_at, refusals, failures, "
      "groups, groups_left_out, max_epsilon_models, realised_epsilon, realised_epsilon_models, "
      "smallest_sum) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
      "?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
      round.job, round.round, round.attempt, BytesView(round.session), round.published,
      round.reason, round.invited, round.survivors, round.declined, round.seconds, round.bytes_up,
      round.bytes_down, round.max_epsilon, round.delta, round.privacy_unit, round.mechanism,
      round.accountant, BytesView(round.model_sha256), BytesView(round.sum_sha256),
      round.finished_at, JoinWith(round.refusals, "\n"), round.failures, round.groups,
      round.groups_left_out, round.max_epsilon_models, round.realised_epsilon,
      round.realised_epsilon_models, round.smallest_sum);
}

Status SqliteStore::CountDropouts(std::span<const std::string> dropouts) {
  for (const std::string& client : dropouts) {
    TUTTI_TRY(database_.Run("UPDATE clients SET dropouts = dropouts + 1 WHERE name = ?1", client));
  }
  return OkStatus();
}

Status SqliteStore::Publish(const Publication& publication) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    bool published = false;
    TUTTI_TRY(database_.Each(
        "SELECT 1 FROM rounds WHERE session = ?1 AND published",
        [&](const Row&) { published = true; }, BytesView(publication.round.session)));
    if (published) {
      return OkStatus();
    }
    TUTTI_TRY(PutRound(publication.round));
    const ModelRecord& model = publication.model;
    TUTTI_TRY(
        database_.Run("INSERT OR REPLACE INTO models(job, round, sha256, path, bytes, created_at) "
                      "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                      model.job, model.round, BytesView(model.sha256), model.path, model.bytes,
                      model.created_at));
    TUTTI_TRY(database_.Run("UPDATE jobs SET rounds_done = ?2 WHERE name = ?1",
                            publication.round.job, publication.round.round));
    for (const std::string& client : publication.survivors) {
      TUTTI_TRY(database_.Run("UPDATE clients SET rounds = rounds + 1 WHERE name = ?1", client));
    }
    TUTTI_TRY(CountDropouts(publication.dropouts));
    for (const auto& [client, budget] : publication.budgets) {
      TUTTI_TRY(PutActivity({.name = client,
                             .last_seen_at = publication.round.finished_at,
                             .budget = budget,
                             .software = {},
                             .last_refusal = {},
                             .ledger_doubt = {}}));
    }
    return publication.evaluation ? PutEvaluation(*publication.evaluation, kAllClients)
                                  : OkStatus();
  });
}

Status SqliteStore::RecordFailure(const RoundRecord& round, std::span<const std::string> dropouts) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    TUTTI_TRY(PutRound(round));
    return CountDropouts(dropouts);
  });
}

Status SqliteStore::RecordEvaluation(const protocol::EvaluationReport& report,
                                     const std::string& evaluator) {
  const std::lock_guard lock(mutex_);
  return PutEvaluation(report, evaluator);
}

Status SqliteStore::PutEvaluation(const protocol::EvaluationReport& report,
                                  const std::string& evaluator) {
  return database_.Run(
      "INSERT OR REPLACE INTO evaluations(job, round, evaluator, examples, loss, accuracy) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
      report.job, report.round, evaluator, report.examples, report.loss, report.accuracy);
}

StatusOr<std::vector<RoundRecord>> SqliteStore::Rounds(const std::string& job) {
  const std::lock_guard lock(mutex_);
  std::vector<RoundRecord> rounds;
  TUTTI_TRY(database_.Each(
      kRoundsSql, [&](const Row& row) { rounds.push_back(RoundFrom(row, job)); }, job));
  return rounds;
}

StatusOr<std::uint64_t> SqliteStore::LastAttempt(const std::string& job, std::uint64_t round) {
  const std::lock_guard lock(mutex_);
  std::uint64_t last = 0;
  TUTTI_TRY(database_.Each(
      "SELECT max(coalesce((SELECT max(attempt) FROM rounds WHERE job = ?1 AND round = ?2), 0), "
      "coalesce((SELECT max(attempt) FROM survivors WHERE job = ?1 AND round = ?2), 0))",
      [&](const Row& row) { last = row.Unsigned(0); }, job, round));
  return last;
}

StatusOr<std::map<std::uint64_t, std::uint64_t>> SqliteStore::ReleasedSums(const std::string& job) {
  const std::lock_guard lock(mutex_);
  std::map<std::uint64_t, std::uint64_t> sums;
  TUTTI_TRY(database_.Each(
      "SELECT smallest_sum, count(*) FROM rounds WHERE job = ?1 AND (published OR model_sha256 <> "
      "zeroblob(32)) GROUP BY smallest_sum",
      [&](const Row& row) { sums[row.Unsigned(0)] = row.Unsigned(1); }, job));
  return sums;
}

StatusOr<std::vector<ModelRecord>> SqliteStore::Models(const std::string& job) {
  const std::lock_guard lock(mutex_);
  std::vector<ModelRecord> models;
  TUTTI_TRY(database_.Each(
      "SELECT m.job, m.round, sha256, path, bytes, created_at, "
      "coalesce((SELECT sum(accuracy * examples) / sum(examples) FROM evaluations e WHERE e.job = "
      "m.job AND e.round = m.round AND examples > 0), -1) "
      "FROM models m WHERE ?1 = '' OR m.job = ?1 ORDER BY m.job, m.round DESC",
      [&](const Row& row) { models.push_back(ModelFrom(row)); }, job));
  return models;
}

StatusOr<std::vector<ModelRecord>> SqliteStore::ForgetOldModels(const std::string& job,
                                                                std::size_t keep) {
  const std::lock_guard lock(mutex_);
  std::vector<ModelRecord> old;
  const Status forgotten = database_.Transaction([&] {
    TUTTI_TRY(database_.Each(
        "SELECT job, round, sha256, path, bytes, created_at, -1.0 FROM (SELECT *, row_number() "
        "OVER "
        "(ORDER BY round DESC) AS place FROM models WHERE job = ?1) WHERE place > ?2 AND round <> "
        "coalesce((SELECT round FROM evaluations WHERE job = ?1 AND examples > 0 GROUP BY round "
        "ORDER BY sum(loss * examples) / sum(examples), round LIMIT 1), -1) AND (place > ?3 OR "
        "round <= coalesce((SELECT max(round) FROM evaluations WHERE job = ?1 AND examples > 0), "
        "9223372036854775807))",
        [&](const Row& row) { old.push_back(ModelFrom(row)); }, job,
        static_cast<std::uint64_t>(keep), static_cast<std::uint64_t>(keep + kAwaitingEvaluation)));
    for (const ModelRecord& model : old) {
      TUTTI_TRY(
          database_.Run("DELETE FROM models WHERE job = ?1 AND round = ?2", job, model.round));
    }
    // A file that serves another round stays.
    return database_.Each(
        "SELECT path FROM models WHERE job = ?1",
        [&](const Row& row) {
          std::erase_if(old, [&](const ModelRecord& model) { return model.path == row.Text(0); });
        },
        job);
  });
  TUTTI_TRY(forgotten);
  return old;
}

Status SqliteStore::Reinstate(const std::string& job, std::uint64_t round, std::uint64_t newest) {
  const std::lock_guard lock(mutex_);
  return database_.Run(
      "UPDATE models SET (sha256, path, bytes) = (SELECT sha256, path, bytes FROM models WHERE job "
      "= "
      "?1 AND round = ?2) WHERE job = ?1 AND round = ?3 AND EXISTS (SELECT 1 FROM models WHERE job "
      "= "
      "?1 AND round = ?2)",
      job, round, newest);
}

Status SqliteStore::RollBackTo(const std::string& job, std::uint64_t round,
                               const std::string& reason) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    TUTTI_TRY(database_.Run("DELETE FROM models WHERE job = ?1 AND round > ?2", job, round));
    TUTTI_TRY(database_.Run("DELETE FROM evaluations WHERE job = ?1 AND round > ?2", job, round));
    // The attempts stay on record, so that new ones get higher numbers than any a client answered.
    TUTTI_TRY(
        database_.Run("UPDATE rounds SET published = 0, reason = ?3 "
                      "WHERE job = ?1 AND round > ?2 AND published",
                      job, round, reason));
    return database_.Run("UPDATE jobs SET rounds_done = ?2 WHERE name = ?1", job, round);
  });
}

}  // namespace tutti::store

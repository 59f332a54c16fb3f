#include "server/store/sqlite_store.h"

#include "common/base/text.h"

namespace tutti::store {
namespace {

std::string_view NameOf(round::JobState state) {
  switch (state) {
    case round::JobState::kWaiting:
      return "waiting";
    case round::JobState::kRunning:
      return "running";
    case round::JobState::kStopped:
      return "stopped";
    case round::JobState::kDone:
      return "done";
    case round::JobState::kFailed:
      return "failed";
  }
  return "failed";
}

round::JobState StateOf(std::string_view name) {
  for (const auto state : {round::JobState::kWaiting, round::JobState::kRunning,
                           round::JobState::kStopped, round::JobState::kDone}) {
    if (name == NameOf(state)) {
      return state;
    }
  }
  return round::JobState::kFailed;
}

}  // namespace

StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(
    const std::string& path, std::span<const std::string_view> migrations) {
  TUTTI_ASSIGN(Database database, Database::Open(path));
  // WAL: readers never wait for the writer. FULL: a commit is on the disk before it returns.
  TUTTI_TRY(database.Script("PRAGMA busy_timeout = 5000"));
  TUTTI_TRY(PrepareSchema(database, path, migrations));
  TUTTI_TRY(database.Script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA "
      "journal_size_limit = 4194304"));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(database)));
}

StatusOr<std::vector<ClientRecord>> SqliteStore::Clients() {
  const std::lock_guard lock(mutex_);
  std::vector<ClientRecord> clients;
  TUTTI_TRY(database_.Each(
      "SELECT name, role, spki, certificate_expires_at, enrolled_at, last_seen_at, revoked, "
      "epsilon_spent, epsilon_budget, rounds, dropouts, software, last_refusal, ledger_doubt, "
      "ledger_entries IS NOT NULL, coalesce(ledger_entries, 0), ledger_head, suspicion, excluded "
      "FROM clients "
      "ORDER BY name",
      [&](const Row& row) {
        std::optional<protocol::LedgerHead> ledger;
        if (row.Int(14) != 0) {
          ledger = {row.Unsigned(15), row.Hash(16)};
        }
        clients.push_back({.name = row.Text(0),
                           .role = row.Text(1),
                           .spki = row.Hash(2),
                           .certificate_expires_at = row.Int(3),
                           .enrolled_at = row.Int(4),
                           .last_seen_at = row.Int(5),
                           .revoked = row.Int(6) != 0,
                           .epsilon_spent = row.Real(7),
                           .epsilon_budget = row.Real(8),
                           .rounds = row.Unsigned(9),
                           .dropouts = row.Unsigned(10),
                           .software = row.Text(11),
                           .last_refusal = row.Text(12),
                           .ledger = ledger,
                           .ledger_doubt = row.Text(13),
                           .suspicion = static_cast<std::uint32_t>(row.Unsigned(17)),
                           .excluded = row.Text(18)});
      }));
  return clients;
}

Status SqliteStore::PutClient(const ClientRecord& client, bool may_replace_revoked) {
  bool taken = false;
  TUTTI_TRY(database_.Each(
      "SELECT revoked FROM clients WHERE name = ?1 AND spki != ?2",
      [&](const Row& row) { taken = !(may_replace_revoked && row.Int(0) != 0); }, client.name,
      BytesView(client.spki)));
  if (taken) {
    return AlreadyExists(Join("client name ", Escaped(client.name),
                              " belongs to another key; choose another name, or revoke that client "
                              "and make a token bound to the name"));
  }
  return database_.Run(
      "INSERT INTO clients(name, role, spki, certificate_expires_at, enrolled_at) "
      "VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(name) DO UPDATE SET role = ?2, spki = ?3, "
      "certificate_expires_at = ?4, revoked = 0, "
      // Another device brings a ledger of its own and spoiled nothing yet.
      "ledger_entries = CASE WHEN spki = ?3 THEN ledger_entries END, "
      "ledger_doubt = CASE WHEN spki = ?3 THEN ledger_doubt ELSE '' END, "
      "suspicion = CASE WHEN spki = ?3 THEN suspicion ELSE 0 END, "
      "excluded = CASE WHEN spki = ?3 THEN excluded ELSE '' END",
      client.name, client.role, BytesView(client.spki), client.certificate_expires_at,
      client.enrolled_at);
}

Status SqliteStore::AddClient(const ClientRecord& client) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] { return PutClient(client, false); });
}

Status SqliteStore::RevokeClient(const std::string& name) {
  const std::lock_guard lock(mutex_);
  TUTTI_TRY(database_.Run("UPDATE clients SET revoked = 1 WHERE name = ?1", name));
  return database_.Changes() > 0 ? OkStatus()
                                 : NotFound(Join("no client is called \"", Escaped(name), "\""));
}

Status SqliteStore::PutActivity(const ClientActivity& activity) {
  TUTTI_TRY(database_.Run("UPDATE clients SET last_seen_at = max(last_seen_at, ?2) WHERE name = ?1",
                          activity.name, activity.last_seen_at));
  if (activity.budget.epsilon_budget > 0) {
    TUTTI_TRY(database_.Run(
        "UPDATE clients SET epsilon_spent = ?2, epsilon_budget = ?3, delta = ?4 WHERE name = ?1",
        activity.name, activity.budget.epsilon_spent, activity.budget.epsilon_budget,
        activity.budget.delta));
  }
  if (const auto& ledger = activity.budget.ledger) {
    TUTTI_TRY(
        database_.Run("UPDATE clients SET ledger_entries = ?2, ledger_head = ?3 WHERE name = ?1",
                      activity.name, ledger->entries, BytesView(ledger->hash)));
  }
  if (!activity.ledger_doubt.empty()) {
    TUTTI_TRY(database_.Run("UPDATE clients SET ledger_doubt = ?2 WHERE name = ?1", activity.name,
                            activity.ledger_doubt));
  }
  if (!activity.software.empty()) {
    TUTTI_TRY(database_.Run("UPDATE clients SET software = ?2 WHERE name = ?1", activity.name,
                            activity.software));
  }
  if (!activity.last_refusal.empty()) {
    TUTTI_TRY(database_.Run("UPDATE clients SET last_refusal = ?2 WHERE name = ?1", activity.name,
                            activity.last_refusal));
  }
  return OkStatus();
}

Status SqliteStore::RecordActivity(std::span<const ClientActivity> activity) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    for (const ClientActivity& one : activity) {
      TUTTI_TRY(PutActivity(one));
    }
    return OkStatus();
  });
}

Status SqliteStore::AddToken(const TokenRecord& token) {
  const std::lock_guard lock(mutex_);
  return database_.Run(
      "INSERT INTO tokens(secret_hash, name, role, created_at, expires_at) VALUES(?1, ?2, ?3, ?4, "
      "?5)",
      BytesView(token.secret_hash), token.name, token.role, token.created_at, token.expires_at);
}

StatusOr<TokenRecord> SqliteStore::TokenBy(const Digest& secret_hash) {
  std::vector<TokenRecord> found;
  TUTTI_TRY(database_.Each(
      "SELECT name, role, created_at, expires_at, used_at, used_by FROM tokens WHERE secret_hash = "
      "?1",
      [&](const Row& row) {
        found.push_back({.secret_hash = secret_hash,
                         .name = row.Text(0),
                         .role = row.Text(1),
                         .created_at = row.Int(2),
                         .expires_at = row.Int(3),
                         .used = row.Int(4) != 0,
                         .used_by = row.Hash(5)});
      },
      BytesView(secret_hash)));
  if (found.empty()) {
    return NotFound("no such join token");
  }
  return found.front();
}

StatusOr<TokenRecord> SqliteStore::FindToken(const Digest& secret_hash) {
  const std::lock_guard lock(mutex_);
  return TokenBy(secret_hash);
}

Status SqliteStore::Enrol(const Digest& secret_hash, const ClientRecord& client, WallSeconds now) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    const StatusOr<TokenRecord> token = TokenBy(secret_hash);
    if (!token.ok()) {
      return token.status().code() == StatusCode::kNotFound
                 ? Unauthenticated("the join token is unknown; ask the operator for a new one")
                 : token.status();
    }
    if (now >= token->expires_at) {
      return Unauthenticated("the join token has expired; ask the operator for a new one");
    }
    if (token->used && token->used_by != client.spki) {
      return Unauthenticated(
          "the join token was used already; every client needs its own, ask the operator");
    }
    TUTTI_TRY(PutClient(client, token->name == client.name));
    return database_.Run("UPDATE tokens SET used_at = ?2, used_by = ?3 WHERE secret_hash = ?1",
                         BytesView(secret_hash), now, BytesView(client.spki));
  });
}

Status SqliteStore::AddJob(const JobRecord& job, const ModelRecord& first_weights) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    TUTTI_TRY(database_.Run(
        "INSERT INTO jobs(name, config, state, submitted_at) VALUES(?1, ?2, ?3, ?4)", job.name,
        BytesView(job.config), std::string(NameOf(job.state)), job.submitted_at));
    return database_.Run(
        "INSERT INTO models(job, round, sha256, path, bytes, created_at) VALUES(?1, ?2, ?3, ?4, "
        "?5, ?6)",
        job.name, first_weights.round, BytesView(first_weights.sha256), first_weights.path,
        first_weights.bytes, first_weights.created_at);
  });
}

StatusOr<std::vector<JobRecord>> SqliteStore::JobsWhere(const std::string& name) {
  std::vector<JobRecord> jobs;
  TUTTI_TRY(database_.Each(
      "SELECT name, config, state, reason, rounds_done, submitted_at, "
      "coalesce((SELECT sum(accuracy * examples) / sum(examples) FROM evaluations e "
      " WHERE e.job = jobs.name AND e.examples > 0 GROUP BY round ORDER BY round DESC LIMIT 1), "
      "-1), "
      "coalesce((SELECT max(max_epsilon) FROM rounds r WHERE r.job = jobs.name AND published), 0), "
      "coalesce((SELECT max(max_epsilon_models) FROM rounds r WHERE r.job = jobs.name AND "
      "published), 0), "
      "coalesce((SELECT realised_epsilon FROM rounds r WHERE r.job = jobs.name AND published "
      " ORDER BY round DESC LIMIT 1), -1), "
      "coalesce((SELECT realised_epsilon_models FROM rounds r WHERE r.job = jobs.name AND "
      "published "
      " ORDER BY round DESC LIMIT 1), -1) "
      "FROM jobs WHERE ?1 = '' OR name = ?1 ORDER BY sequence",
      [&](const Row& row) {
        jobs.push_back({.name = row.Text(0),
                        .config = row.Blob(1),
                        .state = StateOf(row.Text(2)),
                        .reason = row.Text(3),
                        .rounds_done = row.Unsigned(4),
                        .submitted_at = row.Int(5),
                        .accuracy = row.Real(6),
                        .max_epsilon = row.Real(7),
                        .max_epsilon_models = row.Real(8),
                        .realised_epsilon = row.Real(9),
                        .realised_epsilon_models = row.Real(10)});
      },
      name));
  return jobs;
}

StatusOr<std::vector<JobRecord>> SqliteStore::Jobs() {
  const std::lock_guard lock(mutex_);
  return JobsWhere("");
}

StatusOr<JobRecord> SqliteStore::Job(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::vector<JobRecord> jobs;
  if (!name.empty()) {
    TUTTI_ASSIGN(jobs, JobsWhere(name));
  }
  if (jobs.empty()) {
    return NotFound(Join("no job is called \"", Escaped(name), "\"; tutti job list shows them"));
  }
  return std::move(jobs.front());
}

Status SqliteStore::SetJobState(const std::string& name, round::JobState state,
                                const std::string& reason) {
  const std::lock_guard lock(mutex_);
  return database_.Run("UPDATE jobs SET state = ?2, reason = ?3 WHERE name = ?1", name,
                       std::string(NameOf(state)), reason);
}

}  // namespace tutti::store

#include "server/store/schema.h"

#include <array>

#include "common/base/text.h"
#include "common/platform/files.h"

namespace tutti::store {
namespace {

// Times are seconds since 1970 UTC; hashes are 32-byte blobs; lists of text are lines.
constexpr std::array<std::string_view, 5> kMigrations = {R"sql(
CREATE TABLE clients(
  name TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  spki BLOB NOT NULL UNIQUE,
  certificate_expires_at INTEGER NOT NULL,
  enrolled_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL DEFAULT 0,
  revoked INTEGER NOT NULL DEFAULT 0,
  epsilon_spent REAL NOT NULL DEFAULT 0,
  epsilon_budget REAL NOT NULL DEFAULT 0,
  delta REAL NOT NULL DEFAULT 0,
  ledger_head BLOB NOT NULL DEFAULT x'',
  rounds INTEGER NOT NULL DEFAULT 0,
  dropouts INTEGER NOT NULL DEFAULT 0,
  software TEXT NOT NULL DEFAULT '',
  last_refusal TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE tokens(
  secret_hash BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL DEFAULT 0,
  used_by BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE TABLE jobs(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  config BLOB NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  rounds_done INTEGER NOT NULL DEFAULT 0,
  submitted_at INTEGER NOT NULL
) STRICT;
CREATE TABLE rounds(
  job TEXT NOT NULL REFERENCES jobs(name),
  round INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  session BLOB NOT NULL,
  published INTEGER NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  invited INTEGER NOT NULL,
  survivors INTEGER NOT NULL,
  declined INTEGER NOT NULL,
  seconds REAL NOT NULL,
  bytes_up INTEGER NOT NULL,
  bytes_down INTEGER NOT NULL,
  max_epsilon REAL NOT NULL,
  delta REAL NOT NULL,
  privacy_unit TEXT NOT NULL,
  mechanism TEXT NOT NULL,
  accountant TEXT NOT NULL,
  model_sha256 BLOB NOT NULL,
  sum_sha256 BLOB NOT NULL,
  finished_at INTEGER NOT NULL,
  refusals TEXT NOT NULL DEFAULT '',
  failures INTEGER NOT NULL,
  PRIMARY KEY(job, round, attempt)
) STRICT;
CREATE UNIQUE INDEX one_published_attempt ON rounds(job, round) WHERE published = 1;
CREATE TABLE survivors(
  session BLOB NOT NULL,
  client TEXT NOT NULL,
  job TEXT NOT NULL REFERENCES jobs(name),
  round INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  PRIMARY KEY(session, client)
) STRICT;
CREATE INDEX survivors_by_round ON survivors(job, round);
CREATE TABLE models(
  job TEXT NOT NULL REFERENCES jobs(name),
  round INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  path TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY(job, round)
) STRICT;
CREATE TABLE evaluations(
  job TEXT NOT NULL REFERENCES jobs(name),
  round INTEGER NOT NULL,
  evaluator TEXT NOT NULL,
  examples INTEGER NOT NULL,
  loss REAL NOT NULL,
  accuracy REAL NOT NULL,
  PRIMARY KEY(job, round, evaluator)
) STRICT;
)sql",
                                                         R"sql(
ALTER TABLE clients ADD COLUMN ledger_entries INTEGER;
ALTER TABLE clients ADD COLUMN ledger_doubt TEXT NOT NULL DEFAULT '';
)sql",
                                                         R"sql(
ALTER TABLE rounds ADD COLUMN groups INTEGER NOT NULL DEFAULT 1;
ALTER TABLE rounds ADD COLUMN groups_left_out INTEGER NOT NULL DEFAULT 0;
)sql",
                                                         R"sql(
ALTER TABLE clients ADD COLUMN suspicion INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN excluded TEXT NOT NULL DEFAULT '';
CREATE TABLE spoiled_sums(
  sequence INTEGER PRIMARY KEY,
  session BLOB NOT NULL UNIQUE
) STRICT;
)sql",
                                                         R"sql(
ALTER TABLE rounds ADD COLUMN max_epsilon_models REAL NOT NULL DEFAULT 0;
ALTER TABLE rounds ADD COLUMN realised_epsilon REAL NOT NULL DEFAULT -1;
ALTER TABLE rounds ADD COLUMN realised_epsilon_models REAL NOT NULL DEFAULT -1;
ALTER TABLE rounds ADD COLUMN smallest_sum INTEGER NOT NULL DEFAULT 0;
UPDATE rounds SET max_epsilon_models = max_epsilon;
)sql"};

Status QuickCheck(Database& database, const std::string& path) {
  std::string found;
  const Status asked = database.Each("PRAGMA quick_check(5)", [&](const Row& row) {
    if (row.Text(0) != "ok") {
      found += (found.empty() ? "" : "; ") + Escaped(row.Text(0));
    }
  });
  if (asked.code() == StatusCode::kDataLoss || !found.empty()) {
    return DataLoss(
        Join("database ", path, " is damaged (", found.empty() ? TextOf(asked) : found,
             "); nothing was changed: restore it from a backup of the state directory"));
  }
  return asked;
}

}  // namespace

std::span<const std::string_view> Migrations() { return kMigrations; }

Status PrepareSchema(Database& database, const std::string& path,
                     std::span<const std::string_view> migrations) {
  TUTTI_TRY(QuickCheck(database, path));
  std::uint64_t version = 0;
  TUTTI_TRY(
      database.Each("PRAGMA user_version", [&](const Row& row) { version = row.Unsigned(0); }));
  if (version > migrations.size()) {
    return FailedPrecondition(Join("database ", path, " has schema version ", version,
                                   ", this program knows up to ", migrations.size(),
                                   "; install the newer tutti-server that wrote it"));
  }
  if (version > 0 && version < migrations.size()) {
    const std::string copy = Join(path, ".before-v", migrations.size());
    TUTTI_TRY(platform::RemoveFile(copy));
    TUTTI_TRY(database.Run("VACUUM INTO ?1", copy));
  }
  for (std::size_t next = version; next < migrations.size(); ++next) {
    // The version lies in the file's header, so it changes in the same transaction as the tables.
    const Status migrated = database.Transaction([&] {
      TUTTI_TRY(database.Script(std::string(migrations[next])));
      return database.Script(Join("PRAGMA user_version = ", next + 1));
    });
    TUTTI_TRY(migrated);
  }
  return OkStatus();
}

}  // namespace tutti::store

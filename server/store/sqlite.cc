#include "server/store/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace tutti::store {

std::int64_t Row::Int(int column) const { return sqlite3_column_int64(statement_, column); }
double Row::Real(int column) const { return sqlite3_column_double(statement_, column); }

std::string Row::Text(int column) const {
  const auto* text = sqlite3_column_text(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return text == nullptr ? std::string()
                         : ToString(BytesView(text, static_cast<std::size_t>(size)));
}

Bytes Row::Blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? Bytes() : Bytes(data, data + size);
}

Digest Row::Hash(int column) const {
  const Bytes bytes = Blob(column);
  Digest digest{};
  if (bytes.size() == digest.size()) {
    std::copy(bytes.begin(), bytes.end(), digest.begin());
  }
  return digest;
}

struct Database::Connection {
  std::string path;
  sqlite3* handle = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements;
  // After a failed fsync the kernel may have dropped the pages: nothing written later can be
  // trusted to lie on what was written before. Only a restart, which reads the file anew, ends
  // that.
  bool broken = false;

  ~Connection() {
    for (const auto& [sql, statement] : statements) {
      sqlite3_finalize(statement);
    }
    sqlite3_close(handle);
  }
};

Database::Database(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

StatusOr<Database> Database::Open(const std::string& path) {
  auto connection = std::make_unique<Connection>();
  connection->path = path;
  const int result = sqlite3_open_v2(
      path.c_str(), &connection->handle,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(std::move(connection));
  if (result != SQLITE_OK) {
    return database.LastError("cannot open");
  }
  return database;
}

Status Database::LastError(std::string_view action) {
  const int code = sqlite3_extended_errcode(connection_->handle);
  const std::string text =
      Join(action, " database ", connection_->path, ": ", sqlite3_errmsg(connection_->handle));
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
    connection_->broken = true;
    return DataLoss(text + "; the disk failed to sync: check it, then restart");
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ResourceExhausted(text + "; free some disk space");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return DataLoss(text + "; restore the file from a backup");
    case SQLITE_CONSTRAINT:
      return AlreadyExists(text);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return PermissionDenied(text);
    default:
      return Unavailable(text);
  }
}

Status Database::Script(const std::string& sql) {
  if (sqlite3_exec(connection_->handle, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return LastError("cannot change");
  }
  return OkStatus();
}

StatusOr<sqlite3_stmt*> Database::Prepared(const char* sql) {
  if (connection_->broken) {
    return DataLoss(Join("database ", connection_->path,
                         " could not be synced to disk earlier: check the disk, then restart"));
  }
  if (const auto found = connection_->statements.find(std::string_view(sql));
      found != connection_->statements.end()) {
    return found->second;
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection_->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK) {
    return LastError("cannot ask");
  }
  connection_->statements.emplace(sql, statement);
  return statement;
}

Status Database::Step(sqlite3_stmt* statement, const std::function<void(const Row&)>& row) {
  int result = SQLITE_ROW;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    row(Row(statement));
  }
  const Status status = result == SQLITE_DONE ? OkStatus() : LastError("cannot use");
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return status;
}

std::int64_t Database::Changes() const { return sqlite3_changes64(connection_->handle); }

Status Database::Transaction(const std::function<Status()>& body) {
  TUTTI_TRY(Run("BEGIN IMMEDIATE"));
  Status status = body();
  if (status.ok()) {
    status = Run("COMMIT");
  }
  // A failed statement may have ended the transaction already (disk full): then there is nothing to
  // roll back.
  if (!status.ok() && sqlite3_get_autocommit(connection_->handle) == 0) {
    sqlite3_exec(connection_->handle, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return status;
}

void Database::Bind(sqlite3_stmt* statement, int index, std::int64_t value) {
  sqlite3_bind_int64(statement, index, value);
}
void Database::Bind(sqlite3_stmt* statement, int index, std::uint64_t value) {
  sqlite3_bind_int64(statement, index, static_cast<std::int64_t>(value));
}
void Database::Bind(sqlite3_stmt* statement, int index, std::uint32_t value) {
  sqlite3_bind_int64(statement, index, value);
}
void Database::Bind(sqlite3_stmt* statement, int index, bool value) {
  sqlite3_bind_int(statement, index, value ? 1 : 0);
}
void Database::Bind(sqlite3_stmt* statement, int index, double value) {
  sqlite3_bind_double(statement, index, value);
}
void Database::Bind(sqlite3_stmt* statement, int index, const std::string& value) {
  sqlite3_bind_text64(statement, index, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
void Database::Bind(sqlite3_stmt* statement, int index, BytesView value) {
  // A null pointer would bind NULL; an empty blob is still a blob.
  const void* data = value.empty() ? static_cast<const void*>("") : value.data();
  sqlite3_bind_blob64(statement, index, data, value.size(), SQLITE_TRANSIENT);
}

}  // namespace tutti::store

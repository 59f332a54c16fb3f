// SQLite behind values: one connection, cached statements, errors as Status.
// Thread safety: confined to one thread at a time (SqliteStore holds a mutex).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tutti::store {

// The current row of a query; valid inside the row function only.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t Int(int column) const;
  std::uint64_t Unsigned(int column) const { return static_cast<std::uint64_t>(Int(column)); }
  double Real(int column) const;
  std::string Text(int column) const;
  Bytes Blob(int column) const;
  Digest Hash(int column) const;  // zeros when the blob has not 32 bytes

 private:
  sqlite3_stmt* statement_;
};

class Database {
 public:
  static StatusOr<Database> Open(const std::string& path);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  // One or more statements without parameters.
  Status Script(const std::string& sql);

  template <typename... Values>
  Status Run(const char* sql, const Values&... values) {
    return Each(
        sql, [](const Row&) {}, values...);
  }
  // Calls `row` for each row of the answer.
  template <typename... Values>
  Status Each(const char* sql, const std::function<void(const Row&)>& row,
              const Values&... values) {
    TUTTI_ASSIGN(sqlite3_stmt * statement, Prepared(sql));
    int index = 0;
    (Bind(statement, ++index, values), ...);
    return Step(statement, row);
  }
  // Rows changed by the newest statement.
  std::int64_t Changes() const;

  // Runs `body` in one transaction: rolled back when it or the commit fails.
  Status Transaction(const std::function<Status()>& body);

 private:
  struct Connection;
  explicit Database(std::unique_ptr<Connection> connection);
  StatusOr<sqlite3_stmt*> Prepared(const char* sql);
  Status Step(sqlite3_stmt* statement, const std::function<void(const Row&)>& row);
  Status LastError(std::string_view action);
  static void Bind(sqlite3_stmt* statement, int index, std::int64_t value);
  static void Bind(sqlite3_stmt* statement, int index, std::uint64_t value);
  static void Bind(sqlite3_stmt* statement, int index, std::uint32_t value);
  static void Bind(sqlite3_stmt* statement, int index, bool value);
  static void Bind(sqlite3_stmt* statement, int index, double value);
  static void Bind(sqlite3_stmt* statement, int index, const std::string& value);
  static void Bind(sqlite3_stmt* statement, int index, BytesView value);

  std::unique_ptr<Connection> connection_;
};

}  // namespace tutti::store

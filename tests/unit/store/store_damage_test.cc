// What the store does with files that are not as it left them.
#include <filesystem>
#include <fstream>

#include "server/store/sqlite_store.h"
#include "tests/catch.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::store {
namespace {

void Overwrite(const std::string& path, std::streamoff offset, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offset);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("a database of a newer program is refused and left alone", "[store]") {
  const test::TemporaryDirectory folder;
  REQUIRE(SqliteStore::Open(folder / "db").ok());
  {
    auto database = Database::Open(folder / "db");
    REQUIRE(database->Script("PRAGMA user_version = 99").ok());
  }
  const Status refused = SqliteStore::Open(folder / "db").status();
  REQUIRE(refused.code() == StatusCode::kFailedPrecondition);
  REQUIRE(TextOf(refused).find("schema version 99") != std::string::npos);
}

TEST_CASE("an older database is copied, then migrated", "[store]") {
  const test::TemporaryDirectory folder;
  const std::vector<std::string_view> first = {"CREATE TABLE a(x INTEGER)"};
  const std::vector<std::string_view> second = {first[0], "CREATE TABLE b(y INTEGER)"};
  {
    auto database = Database::Open(folder / "db");
    REQUIRE(PrepareSchema(*database, folder / "db", first).ok());
    REQUIRE(database->Run("INSERT INTO a VALUES(7)").ok());
  }
  {
    auto database = Database::Open(folder / "db");
    REQUIRE(PrepareSchema(*database, folder / "db", second).ok());
    REQUIRE(database->Run("INSERT INTO b VALUES(8)").ok());
  }
  auto copy = Database::Open(folder / "db.before-v2");
  std::int64_t value = 0;
  REQUIRE(copy->Each("SELECT x FROM a", [&](const Row& row) { value = row.Int(0); }).ok());
  REQUIRE(value == 7);
  REQUIRE(!copy->Run("INSERT INTO b VALUES(1)").ok());
}

TEST_CASE("a migration that fails leaves the version it found", "[store]") {
  const test::TemporaryDirectory folder;
  const std::vector<std::string_view> first = {"CREATE TABLE a(x INTEGER)"};
  const std::vector<std::string_view> wrong = {first[0],
                                               "CREATE TABLE b(y INTEGER); CREATE BROKEN"};
  auto database = Database::Open(folder / "db");
  REQUIRE(PrepareSchema(*database, folder / "db", first).ok());
  REQUIRE(!PrepareSchema(*database, folder / "db", wrong).ok());
  REQUIRE(PrepareSchema(*database, folder / "db", first).ok());
  REQUIRE(!database->Run("INSERT INTO b VALUES(1)").ok());
}

TEST_CASE("a file that is no database is refused", "[store]") {
  const test::TemporaryDirectory folder;
  { std::ofstream(folder / "db") << std::string(8192, 'x'); }
  const Status refused = SqliteStore::Open(folder / "db").status();
  REQUIRE(refused.code() == StatusCode::kDataLoss);
  REQUIRE(TextOf(refused).find("backup") != std::string::npos);
}

TEST_CASE("a damaged page is found at the start", "[store]") {
  const test::TemporaryDirectory folder;
  {
    auto store = SqliteStore::Open(folder / "db");
    for (int i = 0; i < 200; ++i) {
      ClientRecord client;
      client.name = "client-" + std::to_string(i);
      client.role = "trainer";
      client.spki.fill(static_cast<std::uint8_t>(i));
      REQUIRE((*store)->AddClient(client).ok());
    }
  }
  // Page 2 is the clients table's root: its header byte says what kind of page it is.
  Overwrite(folder / "db", 4096, std::string(64, '\x7f'));
  const Status refused = SqliteStore::Open(folder / "db").status();
  REQUIRE(refused.code() == StatusCode::kDataLoss);
}

TEST_CASE("a truncated database is found at the start", "[store]") {
  const test::TemporaryDirectory folder;
  REQUIRE(SqliteStore::Open(folder / "db").ok());
  std::filesystem::resize_file(folder / "db", std::filesystem::file_size(folder / "db") / 2);
  REQUIRE(SqliteStore::Open(folder / "db").status().code() == StatusCode::kDataLoss);
}

TEST_CASE("a full disk fails the transaction, keeps what was there and works again later",
          "[store]") {
  const test::TemporaryDirectory folder;
  auto database = Database::Open(folder / "db");
  REQUIRE(database->Script("PRAGMA journal_mode = WAL; CREATE TABLE a(x BLOB)").ok());
  REQUIRE(database->Run("INSERT INTO a VALUES(?1)", BytesView(Bytes(100, 1))).ok());
  REQUIRE(database->Script("PRAGMA max_page_count = 3").ok());
  const Status full = database->Transaction([&] {
    TUTTI_TRY(database->Run("INSERT INTO a VALUES(?1)", BytesView(Bytes(100, 2))));
    return database->Run("INSERT INTO a VALUES(?1)", BytesView(Bytes(100'000, 3)));
  });
  REQUIRE(full.code() == StatusCode::kResourceExhausted);
  std::int64_t rows = 0;
  REQUIRE(
      database->Each("SELECT count(*) FROM a", [&](const Row& row) { rows = row.Int(0); }).ok());
  REQUIRE(rows == 1);
  REQUIRE(database->Script("PRAGMA max_page_count = 1000").ok());
  REQUIRE(database->Run("INSERT INTO a VALUES(?1)", BytesView(Bytes(100'000, 3))).ok());
}

}  // namespace tutti::store

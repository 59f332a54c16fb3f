// What is held against clients for spoiled sums, on disk.
#include "server/store/sqlite_store.h"

#include "tests/catch.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::store {
namespace {

Digest Hash(std::uint8_t value) {
  Digest digest{};
  digest.fill(value);
  return digest;
}

ClientRecord Client(const std::string& name, std::uint8_t key) {
  ClientRecord client;
  client.name = name;
  client.role = "trainer";
  client.spki = Hash(key);
  return client;
}

// Clients a, b and c, and the survivor sets of two sums.
std::unique_ptr<SqliteStore> Opened(const std::string& path) {
  auto store = SqliteStore::Open(path);
  REQUIRE(store.ok());
  for (std::uint8_t key = 1; key <= 3; ++key) {
    REQUIRE((*store)->AddClient(Client(std::string(1, static_cast<char>('`' + key)), key)).ok());
  }
  if ((*store)->Jobs()->empty()) {
    JobRecord job;
    job.name = "j";
    ModelRecord model;
    model.job = "j";
    REQUIRE((*store)->AddJob(job, model).ok());
    REQUIRE((*store)->RecordSurvivors({Hash(9), "j", 1, 1, {"a", "b"}}).ok());
    REQUIRE((*store)->RecordSurvivors({Hash(8), "j", 1, 2, {"b", "c"}}).ok());
  }
  return *std::move(store);
}

cohort::SuspicionRecord Held() {
  cohort::SuspicionRecord record;
  record.clients[ClientId("a")] = {3, ""};
  record.clients[ClientId("b")] = {0, "it was proven"};
  record.sums = {{Hash(9), {ClientId("a"), ClientId("b")}},
                 {Hash(8), {ClientId("b"), ClientId("c")}}};
  return record;
}

}  // namespace

TEST_CASE("suspicion, exclusion and evidence are there after opening again", "[store]") {
  const test::TemporaryDirectory folder;
  REQUIRE(Opened(folder / "db")->RecordSuspicion(Held()).ok());
  auto store = Opened(folder / "db");
  const auto record = store->Suspicion();
  REQUIRE(record.ok());
  REQUIRE(record->clients.size() == 2);
  REQUIRE(record->clients.at(ClientId("a")).suspicion == 3);
  REQUIRE(record->clients.at(ClientId("b")).excluded == "it was proven");
  REQUIRE(record->sums.size() == 2);
  REQUIRE(record->sums[0].session == Hash(9));  // in the order they were recorded
  REQUIRE(record->sums[1].survivors == std::vector{ClientId("b"), ClientId("c")});
  const auto clients = store->Clients();
  REQUIRE((*clients)[0].suspicion == 3);
  REQUIRE((*clients)[1].excluded == "it was proven");
  REQUIRE((*clients)[2].excluded.empty());
}

TEST_CASE("a record of suspicion takes the place of the one before", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->RecordSuspicion(Held()).ok());
  cohort::SuspicionRecord later;
  later.clients[ClientId("c")] = {1, ""};
  later.sums = {{Hash(8), {}}};
  REQUIRE(store->RecordSuspicion(later).ok());
  const auto record = store->Suspicion();
  REQUIRE(record->clients.size() == 1);
  REQUIRE(record->clients.at(ClientId("c")).suspicion == 1);
  REQUIRE(record->sums.size() == 1);
  REQUIRE(record->sums[0].session == Hash(8));
}

TEST_CASE("a name given to a new key is neither suspected nor excluded", "[store]") {
  const test::TemporaryDirectory folder;
  auto store = Opened(folder / "db");
  REQUIRE(store->RecordSuspicion(Held()).ok());
  REQUIRE(store->AddClient(Client("b", 2)).ok());
  REQUIRE((*store->Clients())[1].excluded == "it was proven");
  REQUIRE(store->RevokeClient("b").ok());
  REQUIRE(store->AddToken({Hash(50), "b", "trainer", 0, 10, false, {}}).ok());
  REQUIRE(store->Enrol(Hash(50), Client("b", 7), 1).ok());
  REQUIRE((*store->Clients())[1].excluded.empty());
}

TEST_CASE("a database from before suspicion was kept is taken up without any", "[store]") {
  const test::TemporaryDirectory folder;
  {
    auto old = SqliteStore::Open(folder / "db", Migrations().first(3));
    REQUIRE(old.ok());
  }
  const auto record = Opened(folder / "db")->Suspicion();
  REQUIRE(record.ok());
  REQUIRE(record->clients.empty());
  REQUIRE(record->sums.empty());
}

}  // namespace tutti::store

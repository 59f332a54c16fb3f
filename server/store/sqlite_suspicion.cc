// What SqliteStore keeps of spoiled sums: standings with the clients, the sums by their sessions;
// who was in them stands in the table of survivors.
#include <algorithm>

#include "server/store/sqlite_store.h"

namespace tutti::store {

Status SqliteStore::RecordSuspicion(const cohort::SuspicionRecord& record) {
  const std::lock_guard lock(mutex_);
  return database_.Transaction([&] {
    TUTTI_TRY(database_.Run(
        "UPDATE clients SET suspicion = 0, excluded = '' WHERE suspicion > 0 OR excluded != ''"));
    for (const auto& [client, standing] : record.clients) {
      TUTTI_TRY(database_.Run("UPDATE clients SET suspicion = ?2, excluded = ?3 WHERE name = ?1",
                              client.value(), standing.suspicion, standing.excluded));
    }
    TUTTI_TRY(database_.Run("DELETE FROM spoiled_sums"));
    for (const cohort::SpoiledSum& sum : record.sums) {
      TUTTI_TRY(database_.Run("INSERT OR IGNORE INTO spoiled_sums(session) VALUES(?1)",
                              BytesView(sum.session)));
    }
    return OkStatus();
  });
}

StatusOr<cohort::SuspicionRecord> SqliteStore::Suspicion() {
  const std::lock_guard lock(mutex_);
  cohort::SuspicionRecord record;
  TUTTI_TRY(database_.Each(
      "SELECT name, suspicion, excluded FROM clients WHERE suspicion > 0 OR excluded != ''",
      [&](const Row& row) {
        record.clients[ClientId(row.Text(0))] = {static_cast<std::uint32_t>(row.Unsigned(1)),
                                                 row.Text(2)};
      }));
  TUTTI_TRY(database_.Each(
      "SELECT s.session, v.client FROM spoiled_sums s JOIN survivors v ON v.session = s.session "
      "ORDER BY s.sequence, v.client",
      [&](const Row& row) {
        if (const Digest session = row.Hash(0);
            record.sums.empty() || record.sums.back().session != session) {
          record.sums.push_back({session, {}});
        }
        record.sums.back().survivors.push_back(ClientId(row.Text(1)));
      }));
  return record;
}

}  // namespace tutti::store

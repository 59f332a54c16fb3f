// The device's privacy ledger on disk: what was ever spent on each data set, written before the
// update leaves. Files in the directory: ledger.bin (records, common/ledger), ledger.mark (newest
// sequence and hash), ledger.lock. Guarantee: when Append returns OK the entry survives a power
// cut, and a later Open that does not find it refuses. Thread safety: confined to one thread; one
// process per directory (the lock).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/dp/accountant.h"
#include "tutti/v1/ledger.pb.h"

namespace tutti::client_store {

struct LedgerSettings {
  std::string directory;  // made (0700) when missing
  // The operator's decision that a missing, damaged or rolled-back ledger is not to be waited for:
  // the damaged file is kept aside and the intact records before the damage stay in force.
  bool accept_reset = false;
};

// The same releases, as two observers see them.
struct SpentEvents {
  std::vector<dp::Event> coordinator;
  std::vector<dp::Event> models;
};

class Ledger {
 public:
  // FailedPrecondition "LEDGER_LOCKED: ..." when another process has it, "LEDGER_MISSING: ..." when
  // there was one and it is gone; DataLoss "LEDGER_TAMPERED: ..." when a record was edited,
  // removed, reordered, or the file is older than the marker. A record that a crash tore off is cut
  // away; warnings() says so.
  static StatusOr<Ledger> Open(const LedgerSettings& settings);
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;
  ~Ledger();

  // What Open repaired, one line each, for the log.
  const std::vector<std::string>& warnings() const;

  // Fills sequence and previous_hash, writes, syncs, moves the marker; returns the record's hash
  // only when all is durable. After any error the ledger takes no more entries until it is opened
  // again (fsync is never tried twice: the kernel may have dropped the data and report success).
  StatusOr<Digest> Append(v1::LedgerEntry entry);

  // Everything accounted on `data_identity` that says something about `unit` (ledger::EventsFor),
  // oldest first; equal mechanisms are merged into one event. Releases without privacy are not in
  // it (ReleasesWithoutPrivacy).
  SpentEvents Events(std::string_view data_identity, std::string_view unit) const;
  // Rounds charged for one job of one coordinator on `data_identity`.
  std::uint64_t RoundsOfJob(std::string_view data_identity, std::string_view coordinator,
                            std::string_view job) const;
  std::uint64_t ReleasesWithoutPrivacy(std::string_view data_identity) const;
  // True when the round `session` was charged already (a repeated charge of one session must not
  // debit twice).
  bool HasSession(BytesView session) const;

  Bytes Head() const;  // 32 bytes, the newest record's hash; empty: nothing recorded
  const std::vector<v1::LedgerEntry>& Entries() const;
  // Entries with a time of at least `since`; a clock that was set back makes it larger, never
  // smaller.
  std::uint64_t RoundsSince(WallSeconds since) const;

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// For `tutti-client ledger` beside a running daemon: the entries as they are, without lock and
// without repair. NotFound when there is no ledger, DataLoss when it is damaged before its last
// record.
StatusOr<std::vector<v1::LedgerEntry>> ReadLedger(const std::string& directory);

}  // namespace tutti::client_store

// What clients say of their privacy ledgers, compared with what they said before. A ledger only
// grows: one that lost records, or has another record in the newest place, was put back to an older
// state or copied to a second device, and its budget protects less than it says. The coordinator
// warns its operator and does nothing else: a device answers for its ledger to its owner.
// Holds one head for each client. Thread safety: confined to one thread.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "common/protocol/messages.h"
#include "server/store/records.h"

namespace tutti::server {

enum class LedgerReport : std::uint8_t {
  kFresh,    // made for this connection
  kRepeated  // may be an older one that is sent again: fewer records mean nothing
};

struct LedgerDoubt {
  std::string text;    // "went back from 12 to 5 records"
  bool first = false;  // of this client since the start: later ones are not worth a line each
};

class LedgerWatch {
 public:
  // What the store knows of clients that are not revoked.
  void Load(std::span<const store::ClientRecord> clients);
  // Another device may get this name, with a ledger of its own.
  void Forget(const std::string& client) { known_.erase(client); }
  // Nothing when the ledger is the same or longer.
  std::optional<LedgerDoubt> Saw(const std::string& client, const protocol::LedgerHead& head,
                                 LedgerReport report);
  // What the next report of a client that Saw was called for is compared with.
  const protocol::LedgerHead& Newest(const std::string& client) const {
    return known_.at(client).head;
  }

 private:
  struct Known {
    protocol::LedgerHead head;
    bool doubted = false;
  };
  std::map<std::string, Known> known_;
};

}  // namespace tutti::server

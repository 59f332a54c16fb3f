#include "server/ledger_watch.h"

#include <utility>

#include "common/base/text.h"

namespace tutti::server {

void LedgerWatch::Load(std::span<const store::ClientRecord> clients) {
  for (const store::ClientRecord& client : clients) {
    if (client.ledger && !client.revoked) {
      known_[client.name] = Known{*client.ledger, false};
    }
  }
}

std::optional<LedgerDoubt> LedgerWatch::Saw(const std::string& client,
                                            const protocol::LedgerHead& head, LedgerReport report) {
  const auto [entry, is_new] = known_.try_emplace(client, Known{head, false});
  Known& known = entry->second;
  const protocol::LedgerHead before = known.head;
  if (is_new || head == before) {
    return std::nullopt;
  }
  if (head.entries < before.entries && report == LedgerReport::kRepeated) {
    return std::nullopt;
  }
  known.head = head;
  if (head.entries > before.entries) {
    return std::nullopt;
  }
  std::string text =
      head.entries < before.entries
          ? Join("went back from ", before.entries, " to ", head.entries, " records")
          : Join("forked: its ", head.entries, " records end in another one than before");
  return LedgerDoubt{std::move(text), !std::exchange(known.doubted, true)};
}

}  // namespace tutti::server

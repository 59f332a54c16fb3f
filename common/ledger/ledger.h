// The privacy ledger's record format: append-only, hash-chained, self-checking (docs/formats.md).
// Pure: bytes in, entries and a verdict out; what to do about a verdict is the store's business
// (client/store/ledger.h).
//
//   record = length (u32, little-endian, 1 .. kMaxEntryBytes), entry (a serialised LedgerEntry),
//   SHA-256(entry)
//
// An entry's previous_hash is the SHA-256 that ends the record before it; its sequence is the
// record's place, from 0. Thread safety: pure functions. Every input is bounded; nothing in the
// bytes can make Verify abort or loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/dp/accountant.h"
#include "tutti/v1/ledger.pb.h"

namespace tutti::ledger {

inline constexpr std::size_t kMaxEntryBytes = 4096;
inline constexpr std::size_t kRecordOverhead = 4 + 32;
inline constexpr std::uint64_t kMaxLedgerBytes = std::uint64_t{1} << 30;

inline constexpr std::string_view kDpSgd = "dp-sgd/poisson/gaussian";
inline constexpr std::string_view kNoMechanism =
    "none";  // a release without privacy: recorded, never accounted

// One record. InvalidArgument when the entry serialises to more than kMaxEntryBytes or to nothing.
StatusOr<Bytes> EncodeRecord(const v1::LedgerEntry& entry);
// The hash that ends `record` (made by EncodeRecord).
Digest HashOfRecord(BytesView record);

enum class State : std::uint8_t {
  kIntact,
  kTornTail,  // the last record is incomplete, as a crash during a write leaves it
  kTampered,  // a record is not what was written
};

struct Verified {
  State state = State::kIntact;
  std::vector<v1::LedgerEntry> entries;  // of the intact records before any damage
  std::vector<Digest> hashes;            // of those records
  std::uint64_t intact_bytes = 0;  // where the damage starts; the size of the file when intact
  // kTampered: the record that is wrong and how. damage_is_last: it ends the file, so nothing valid
  // follows it and it may be a write that a crash left half on disk; only the store's marker can
  // tell.
  std::uint64_t damaged_record = 0;
  std::string damage;
  bool damage_is_last = false;
};
Verified Verify(BytesView bytes);

// MechanismEvent and the accountant's event. A mechanism this version does not know, or one with
// impossible numbers, becomes a dp::UnknownRelease: never skipped. kNoMechanism gives nothing.
v1::MechanismEvent ToMechanismEvent(const dp::Event& event);
std::optional<dp::Event> ToEvent(const v1::MechanismEvent& event);

// What an entry costs one unit ("example" or "client") against the coordinator and against whoever
// sees only the models; nothing when it says nothing about that unit. For examples a client's event
// counts too, as one of twice the sensitivity. The other way round an example's event says nothing
// about a client.
struct UnitEvents {
  dp::Event coordinator;
  dp::Event models;
};
std::optional<UnitEvents> EventsFor(const v1::LedgerEntry& entry, std::string_view unit);

}  // namespace tutti::ledger

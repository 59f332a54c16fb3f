// ledger.mark: how many records the ledger had when it last told anybody so, and the newest one's
// hash (docs/formats.md). It is what makes an older copy of the ledger, however intact,
// recognisable. Thread safety: pure functions.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/ledger/ledger.h"

namespace tutti::client_store {

struct Marker {
  std::uint64_t count = 0;  // records
  Digest newest{};          // hash of the last of them; zeros when there is none
  bool operator==(const Marker&) const = default;
};

inline constexpr std::size_t kMarkerBytes = 8 + 8 + 32 + 32;

Bytes EncodeMarker(const Marker& marker);
StatusOr<Marker> DecodeMarker(BytesView bytes);  // DataLoss when it is not what EncodeMarker gave

// Empty when a ledger with `verified` records can be the one `marker` was written for: at least the
// marker's records, the marker's newest among them, and damage only in what was never confirmed.
// Otherwise what is wrong.
std::string MarkerFault(const ledger::Verified& verified, const Marker& marker);

}  // namespace tutti::client_store

#include "client/store/marker.h"

#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::client_store {
namespace {
constexpr std::string_view kMagic = "TUTTILM1";
}

Bytes EncodeMarker(const Marker& marker) {
  ByteWriter writer;
  writer.Raw(AsBytes(kMagic));
  writer.U64(marker.count);
  writer.Raw(marker.newest);
  writer.Raw(crypto::Sha256(writer.bytes()));
  return writer.Take();
}

StatusOr<Marker> DecodeMarker(BytesView bytes) {
  if (bytes.size() != kMarkerBytes) {
    return DataLoss(Join("ledger.mark has ", bytes.size(), " bytes, expected ", kMarkerBytes));
  }
  ByteReader reader(bytes);
  const BytesView magic = reader.Raw(kMagic.size());
  Marker marker;
  marker.count = reader.U64();
  TUTTI_ASSIGN(marker.newest, ToArray<32>(reader.Raw(32), "newest hash"));
  const Digest expected = crypto::Sha256(bytes.first(kMarkerBytes - 32));
  if (AsText(magic) != kMagic || AsText(reader.Raw(32)) != AsText(expected)) {
    return DataLoss("ledger.mark does not have the content its checksum says");
  }
  return marker;
}

std::string MarkerFault(const ledger::Verified& verified, const Marker& marker) {
  const std::uint64_t found = verified.entries.size();
  // Append confirms a record only after the marker counts it, so damage in a last, uncounted record
  // is a crash's.
  const bool unconfirmed_tail = found >= marker.count && verified.damage_is_last;
  if (verified.state == ledger::State::kTampered && !unconfirmed_tail) {
    return Join("record ", verified.damaged_record, " ", verified.damage);
  }
  if (found < marker.count) {
    return Join("it has ", found, " records, but ", marker.count, " were confirmed",
                verified.state == ledger::State::kIntact ? " (an older copy?)" : "");
  }
  if (marker.count > 0 && verified.hashes[marker.count - 1] != marker.newest) {
    return Join("record ", marker.count - 1, " is not the one that was confirmed");
  }
  return {};
}

}  // namespace tutti::client_store

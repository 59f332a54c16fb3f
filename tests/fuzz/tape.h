// A round of honest clients and an honest coordinator with fixed randomness, every message kept:
// what the targets for live sessions start from and tamper with. Thread safety: value types; a
// tape's verifier is stateless.
#pragma once

#include <vector>

#include "common/base/ids.h"
#include "common/secagg/client_session.h"
#include "common/secagg/ring.h"
#include "common/secagg/server_session.h"
#include "common/wire/secagg.h"
#include "tests/fuzz/source.h"
#include "tests/fuzz/tamper.h"

namespace tutti::fuzz {

inline constexpr std::uint32_t kTapeClients = 6;

struct Tape {
  secagg::RoundConfig config;
  std::vector<ClientId> names;
  std::vector<secagg::ClientIdentity> identities;
  std::vector<Secret32> mask_keys;
  std::vector<Secret32> seeds;
  std::vector<secagg::RingVector> updates;

  std::vector<secagg::Join> joins;
  // Level malicious: each client's join with a certificate of its name and client 0's key.
  std::vector<secagg::Join> twins;
  std::vector<secagg::Roster> rosters;
  std::vector<secagg::Shares> shares;
  std::vector<secagg::Boxes> boxes;
  std::vector<Bytes> vectors;
  std::vector<secagg::MaskedHeader> headers;
  secagg::Survivors survivors;
  std::vector<secagg::Commit> commits;                  // level malicious
  std::vector<secagg::CommitCertificate> certificates;  // level malicious
  std::vector<secagg::Unmask> unmasks;

  bool IsMalicious() const { return config.level == secagg::ThreatLevel::kMalicious; }
};

const Tape& TapeOf(secagg::ThreatLevel level);
crypto::PeerVerifier& TapeVerifier();
// The session of `client` as it was at the start of the tape; `rng` goes on where it stood.
secagg::ClientSession TapeClient(const Tape& tape, std::uint32_t client, SecureRng& rng);
// The randomness of `client` from its start.
std::unique_ptr<SecureRng> TapeRng(std::uint32_t client);

// `right` as it comes from a liar: as it is, tampered with on the wire, or other bytes of its type.
// Nothing: common/wire refuses it.
template <typename Proto, typename Value>
std::optional<Value> Received(const Value& right, Source& source) {
  Proto message;
  const std::uint8_t how = source.U8() % 8;
  if (how == 7) {
    const BytesView bytes = source.Take(source.U16());
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  } else {
    wire::ToProto(right, &message);
    for (std::uint8_t changes = how; changes > 3; --changes) {
      Tamper(message, source);
    }
  }
  StatusOr<Value> value = wire::FromProto(message);
  return value.ok() ? std::optional<Value>(*std::move(value)) : std::nullopt;
}

}  // namespace tutti::fuzz

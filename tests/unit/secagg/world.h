// A cohort of real client sessions and one real server session, wired together in memory, for the
// tests of common/secagg. The coordinator can be made to lie by changing a message between the two.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/secagg/accumulator.h"
#include "common/secagg/client_session.h"
#include "common/secagg/server_session.h"
#include "tests/seeded_rng.h"

namespace tutti::secagg {

// Certificates as plain text "role name key-in-hex": enrolment without X.509. What a CA would vouch
// for is listed.
class ListedVerifier final : public crypto::PeerVerifier {
 public:
  Bytes Enrol(std::string_view name, std::string_view role, const crypto::Ed25519Public& key);
  StatusOr<crypto::CertificateInfo> Verify(BytesView der) override;

 private:
  std::map<Bytes, crypto::CertificateInfo> listed_;
};

enum class Stage {
  kJoin,
  kShare,
  kMask,
  kCommit,
  kUnmask,
  kNever
};  // the first step a client misses

RoundConfig SmallConfig(ThreatLevel level, std::uint32_t clients, std::uint64_t values);

class World {
 public:
  // Identities and sessions of `clients` clients named c000, c001, ...
  World(const RoundConfig& config, std::uint32_t clients, std::uint64_t seed);

  // Each runs one step for all clients that take part in it and requires that all of it is
  // accepted.
  void JoinAll();
  void ShareAll();
  void MaskAll();
  void CommitAll();
  void UnmaskAll();
  // All steps to the unmasked sum as it would travel; the first step that cannot be closed gives
  // its error.
  StatusOr<Bytes> Run();

  Bytes PlainSum() const;  // of the server's survivor set, as it would travel
  ClientId Name(std::uint32_t client) const;
  ClientSession& Client(std::uint32_t client) { return clients_.at(client); }
  ServerSession& Server() { return *server_; }
  Accumulator& Sum() { return sum_; }
  Bytes Masked(std::uint32_t client);  // the vector as it leaves
  MaskedHeader Header(std::uint32_t client);
  bool Reaches(std::uint32_t client, Stage stage) const { return misses_.at(client) > stage; }
  // Sends the right message to the server although it may be refused.
  Status Share(std::uint32_t client);

  std::vector<Stage> misses_;
  std::vector<RingVector> vectors_;  // each client's encoded update
  RoundConfig config_;
  ListedVerifier verifier_;
  SeededSecureRng rng_;
  std::vector<ClientIdentity> identities_;

 private:
  std::vector<ClientSession> clients_;
  std::unique_ptr<ServerSession> server_;
  Accumulator sum_;
};

// "CODE" of a refusal's text "CODE: why"; empty when there is no error.
std::string CodeOf(const Status& status);
template <typename T>
std::string CodeOf(const StatusOr<T>& result) {
  return CodeOf(result.status());
}

}  // namespace tutti::secagg

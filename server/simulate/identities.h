// Certificates of the simulated clients, issued by a CA of the simulation when they are needed
// first. Internal to server/simulate. Thread safety: confined to one thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/crypto/certificate.h"
#include "common/secagg/client_session.h"

namespace tutti::simulate {

class Identities {
 public:
  static StatusOr<std::unique_ptr<Identities>> Create(std::uint64_t seed);

  StatusOr<secagg::ClientIdentity> Of(std::size_t client);
  crypto::PeerVerifier& verifier() { return *verifier_; }

 private:
  // Certificates do not expire in a simulation.
  class StandingClock final : public Clock {
   public:
    Instant Now() const override { return Instant{0}; }
    WallSeconds Wall() const override { return 1'800'000'000; }
  };
  explicit Identities(std::uint64_t seed) : seed_(seed) {}

  const std::uint64_t seed_;
  StandingClock clock_;
  crypto::KeyPair ca_;
  std::string ca_pem_;
  std::unique_ptr<crypto::PeerVerifier> verifier_;
  std::map<std::size_t, secagg::ClientIdentity> known_;
};

}  // namespace tutti::simulate
